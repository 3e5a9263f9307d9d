"""Fig. 9 of the paper: the same images as sequences and as images.

python -m ccnn_geo.experiments.studies.fig9 --root FOLDER        # with cifar-10-batches-bin, as its publisher ships it
python -m ccnn_geo.experiments.studies.fig9 --scale paper --root FOLDER        # all of them, CCNN-6,380
"""

from __future__ import annotations

from ccnn_geo.experiments.engine.reproduction import main
from ccnn_geo.experiments.engine.training_study import Row, training_study

SHARED = {
    "model__preset": "ccnn_4_32",
    "model__dropout": 0.0,
    "optim__lr": 0.02,
    "optim__warmup_epochs": 1,
    "data__limit": 5000,
    "trainer__max_epochs": 10,
    "trainer__limit_val_batches": 40,
}
SEQUENCE = {"model__omega_0": 500.0, "model__window_init": 0.1}
IMAGE = {"model__omega_0": 50.0, "model__window_init": 0.1}
"""For each the better of two settings on validation images (CCNN-4,16 on 3,000 images for 4 epochs)."""

STUDY = training_study(
    "fig9",
    "images as sequences and as images",
    "Fig. 9 and Table 2 (Image, 2DImage) of the paper.",
    [
        Row("sequence", "image/ccnn_6_380", SEQUENCE, "image/ccnn_4_140", 88.90),
        Row("image", "image2d/ccnn_6_380", IMAGE, "image2d/ccnn_4_140", 91.12),
    ],
    "CIFAR-10's binary version, see ccnn-geo data info image",
    seeds=2,
    shared=SHARED,
    note="Small scale: CCNN-4,32 on 5,000 grey images of CIFAR-10, 2,000 more for validation.",
)

if __name__ == "__main__":
    main(STUDY)
