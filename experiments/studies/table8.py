"""Table 8 of the paper: residual blocks.

python -m ccnn_geo.experiments.studies.table8 --root FOLDER            # with mnist/, as its publisher ships it
python -m ccnn_geo.experiments.studies.table8 --scale paper --root FOLDER            # sCIFAR10 and CIFAR10, CCNN-4,140

Small scale: permuted digits are the sequences, and the images are those of the study pathfinder_2d, generated in
``FOLDER/processed``. All blocks are trained alike, with settings found for the CCNN block.
"""

from __future__ import annotations

from ccnn_geo.experiments.engine.reproduction import main
from ccnn_geo.experiments.engine.training_study import Row, training_study
from ccnn_geo.experiments.studies import pathfinder_2d

BLOCKS = {"CCNN": ("ccnn", 90.30, 92.78), "FlexCCNN": ("flex", 85.54, 86.34), "S4": ("s4", 53.25, 60.06)}
"""The block, and its accuracy in the paper on sCIFAR10 and CIFAR10."""
SEQUENCES = {
    "model__preset": "ccnn_4_16",
    "model__dropout": 0.0,
    "model__omega_0": 1000.0,
    "optim__lr": 0.02,
    "optim__warmup_epochs": 1,
    "data__limit": 5000,
    "trainer__max_epochs": 6,
    "trainer__limit_val_batches": 20,
}
IMAGES = pathfinder_2d.SHARED | pathfinder_2d.IMAGE | {"trainer__max_epochs": 10}

STUDY = training_study(
    "table8",
    "residual blocks",
    "Table 8 and appendix D.2 of the paper.",
    [
        Row(f"{name}, {kind}", f"{task}/{block}_4_140", small | {"model__block": block}, config, paper[i])
        for i, (kind, task, small, config) in enumerate(
            [
                ("sequences", "scifar10", SEQUENCES, "pmnist/ccnn_4_140"),
                ("images", "cifar10", IMAGES, "pathfinder2d/ccnn_4_140"),
            ]
        )
        for name, (block, *paper) in BLOCKS.items()
    ],
    "mnist/, as its publisher ships it (small), or scifar10's files (paper), see ccnn-geo data info",
    seeds=3,
    note="Small scale: CCNN-4,16 on 5,000 permuted digits as sequences, and on 4,000 Pathfinder images of 20 x 20; "
    "the paper's column is sCIFAR10 and CIFAR10.",
)

if __name__ == "__main__":
    main(STUDY)
