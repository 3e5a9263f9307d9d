"""Table 8 of the paper: residual blocks.

python -m ccnn_geo.experiments.table8 --root FOLDER            # with mnist/, as its publisher ships it
python -m ccnn_geo.experiments.table8 --scale paper --root FOLDER            # sCIFAR10, CCNN-4,140
"""

from __future__ import annotations

from ccnn_geo.experiments.reproduction import main
from ccnn_geo.experiments.training_study import Row, training_study

BLOCKS = {
    "CCNN": ("scifar10/ccnn_4_140", "ccnn", 90.30),
    "FlexCCNN": ("scifar10/flex_4_140", "flex", 85.54),
    "S4": ("scifar10/s4_4_140", "s4", 53.25),
}
"""The paper's configuration, the block, and its accuracy on sCIFAR10."""
SHARED = {
    "model__preset": "ccnn_4_32",
    "model__dropout": 0.0,
    "optim__warmup_epochs": 1,
    "data__limit": 6000,
    "trainer__max_epochs": 6,
}

STUDY = training_study(
    "table8",
    "residual blocks",
    "Table 8 and appendix D.2 of the paper.",
    [
        Row(name, config, {"model__block": block}, "smnist/ccnn_4_140", paper)
        for name, (config, block, paper) in BLOCKS.items()
    ],
    "smnist's files (small) or scifar10's (paper), see ccnn-geo data info",
    seeds=2,
    shared=SHARED,
    note="Small scale: CCNN-4,32 on 6,000 digits as sequences; the paper's column is sCIFAR10.",
)

if __name__ == "__main__":
    main(STUDY)
