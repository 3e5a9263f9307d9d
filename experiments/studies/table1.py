"""Table 1 of the paper: one network for sequences, images and point clouds.

    python -m ccnn_geo.experiments.studies.table1 --root FOLDER
    python -m ccnn_geo.experiments.studies.table1 --scale paper --root FOLDER

At the paper's scale FOLDER is that of ``ccnn-geo data prepare NAME --root FOLDER``: mnist/, cifar10/, cifar100/,
stl10/, speech_commands/, ModelNet40/. At small scale it holds mnist/ and cifar10/ as there, fsdd/ from
``python -m ccnn_geo.experiments.data.fsdd_folder`` and the Free Spoken Digit Dataset, and shapes/ from
``python -m ccnn_geo.experiments.data.psb_folder`` and the Princeton Shape Benchmark. Tasks without data are
left out. Settings of the small scale were chosen on validation sets.
"""

from __future__ import annotations

from ccnn_geo.experiments.data.fsdd_folder import WORDS
from ccnn_geo.experiments.engine.reproduction import main
from ccnn_geo.experiments.engine.task_study import Small, Task, task_study

SHARED = {
    "model__preset": "ccnn_4_16",
    "model__dropout": 0.0,
    "optim__warmup_epochs": 1,
    "optim__kernel_l2": 0.0,
}
DIGITS = {"words": WORDS, "clips": "pad", "splitting": "official", "check_counts": False, "download": False}
"""Spoken digits in the layout of Speech Commands, speakers' recordings split as published."""
WAVES = {**DIGITS, "rate": 8000, "normalize": "clip"}
"""The rate of the recordings; loud and soft speakers alike."""
SPEECH = {
    "data__dataset_args": WAVES,
    "data__augment": {"shift": 800},
    "data__batch_size": 32,
    "model__omega_0": 100.0,  # most of the kernels' power stays below half the rate
    "model__dropout": 0.1,
    "optim__lr": 0.02,
    "trainer__max_epochs": 14,
}
HALF = {"data__dataset": "speech_half"}
SEQUENCES = {"model__omega_0": 500.0, "optim__lr": 0.02}
PLANE = {"model__omega_0": 10.0, "model__window_init": 0.2, "optim__lr": 0.02}
"""Below the published frequencies, which need more images and weights."""
IMAGES = {"data__limit": 10_000, "trainer__max_epochs": 8}

TASKS = (
    Task(
        "sMNIST", "smnist", (99.72, 99.72), "mnist", 10, ("S4", 99.63),
        Small("6,000 digits", {**SEQUENCES, "data__limit": 6000, "trainer__max_epochs": 5}, "mnist"),
    ),
    Task(
        "pMNIST", "pmnist", (98.82, 98.84), "mnist", 10, ("LSSL", 98.76),
        Small(
            "6,000 digits",
            {**SEQUENCES, "model__omega_0": 1000.0, "data__limit": 6000, "trainer__max_epochs": 8},
            "mnist",
        ),
    ),
    Task(
        "sCIFAR10", "scifar10", (90.30, 93.08), "cifar10", 10, ("S4", 91.13),
        Small("10,000 images", SEQUENCES | IMAGES, "cifar10"),
    ),
    Task(
        "Speech-MFCC", "speech_mfcc", (95.01, 97.98), "speech_commands", 10, ("FlexTCN-6", 97.67),
        Small(
            "2,400 spoken digits",
            {"data__dataset_args": DIGITS, "data__batch_size": 32, "trainer__max_epochs": 12},
            "fsdd", "fsdd",
        ),
    ),
    Task(
        "Speech-Raw", "speech_raw", (98.34, 98.44), "speech_commands", 10, ("S4", 98.32),
        Small("2,400 spoken digits, 8 kHz", SPEECH, "fsdd", "fsdd"),
    ),
    Task(
        "Speech-0.5x", "speech_raw", (96.22, 96.44), "speech_commands", 10, ("S4", 96.30),
        Small(
            "the same network, 4 kHz", folder="fsdd",
            test_options={**HALF, "data__dataset_args": {**WAVES, "rate": 4000}},
        ),
        trained_as="Speech-Raw", test_options=HALF,
    ),
    Task(
        "CIFAR10", "cifar10", (92.78, 95.20), "cifar10", 10, ("ResNet-18", 94.92),
        Small("10,000 images", PLANE | IMAGES, "cifar10"),
    ),
    Task("CIFAR100", "cifar100", (66.86, 73.16), "cifar100", 100, ("Swin-T/1", 78.07)),
    Task("STL10", "stl10", (81.80, 83.00), "stl10", 10, ("ResNet-18", 81.04)),
    Task(
        "ModelNet40", "modelnet40", (84.44, 85.70), "ModelNet40", 40, ("RepSurf-U", 94.7),
        Small(
            "520 shapes in 10 classes",
            {"data__num_points": 256, "optim__warmup_epochs": 4, "trainer__max_epochs": 20},
            "shapes", "shapes", config="shapes/ccnn_4_32_random", classes=10, tested=False,
        ),
        suffix="_paper",
    ),
)  # fmt: skip

STUDY = task_study(
    "table1",
    "one network for sequences, images and point clouds",
    "Table 1 of the paper.",
    TASKS,
    SHARED,
    "mnist/, cifar10/, fsdd/ and shapes/ (small), or the folder of ccnn-geo data prepare (paper); any of them",
    note="Small scale: one CCNN-4,16 on parts of the data, spoken digits instead of Speech Commands, ten classes of "
    "the Princeton Shape Benchmark instead of ModelNet40.",
)

if __name__ == "__main__":
    main(STUDY)
