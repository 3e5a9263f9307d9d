"""Table 2 of the paper: the Long Range Arena, and its images as images.

    python -m ccnn_geo.experiments.studies.table2 --root FOLDER
    python -m ccnn_geo.experiments.studies.table2 --scale paper --root FOLDER

FOLDER is that of ``ccnn-geo data prepare NAME --root FOLDER``: lra/, imdb/ and cifar10/; tasks without data are left
out. At small scale ListOps (shorter than the benchmark's) and Pathfinder are generated. The training half of imdb/ is
enough, a share of it is for validation. Settings of the small scale were chosen on validation sets.
"""

from __future__ import annotations

from pathlib import Path

from ccnn_geo.datasets.text.listops import FILES, generate
from ccnn_geo.datasets.text.listops_grammar import Grammar
from ccnn_geo.experiments.engine.reproduction import main
from ccnn_geo.experiments.engine.task_report import Average
from ccnn_geo.experiments.engine.task_study import Small, Task, task_study
from ccnn_geo.experiments.studies import pathfinder_2d
from ccnn_geo.experiments.studies.table1 import IMAGES, PLANE, SEQUENCES, SHARED

PATHS = pathfinder_2d.SHARED
EXPRESSIONS = {"train": 12_000, "validation": 1000, "test": 1000}
GRAMMAR = Grammar(max_depth=5, max_args=5, min_length=20, max_length=120)
"""Expressions of a tenth of the benchmark's length."""


def write_expressions(root: Path) -> None:
    """Writes ListOps once, in the folder of its data set."""
    folder = root / "lra" / "listops-1000"
    if not all((folder / file).exists() for file in FILES.values()):
        generate(folder, EXPRESSIONS, grammar=GRAMMAR)


TASKS = (
    Task(
        "ListOps", "listops", (44.85, 43.60), "lra", 10, ("S4", 58.35),
        Small(
            "12,000 expressions of up to 120 tokens",
            {
                "data__dataset_args": {"check_counts": False, "max_length": 128},
                "model__omega_0": 50.0,
                "model__window_init": 0.3,
                "optim__lr": 0.01,
                "trainer__max_epochs": 12,
            },
            prepare=write_expressions,
        ),
    ),
    Task(
        "Text", "text", (83.59, 84.08), "imdb", 2, ("S4", 76.02),
        Small(
            "4,000 reviews of up to 1,024 letters",
            {
                "data__dataset_args": {"max_length": 1024},
                "data__limit": 4000,
                "optim__lr": 0.01,
                "trainer__max_epochs": 5,
            },
            "imdb", tested=False,
        ),
    ),
    Task(
        "Image", "image", (87.62, 88.90), "cifar10", 10, ("S4", 87.26),
        Small("10,000 images", SEQUENCES | IMAGES, "cifar10"),
    ),
    Task(
        "Pathfinder", "pathfinder", (91.36, 91.51), "lra", 2, ("S4", 86.05),
        Small("4,000 generated images of 20 x 20", PATHS | pathfinder_2d.SEQUENCE),
    ),
    Task(
        "2DImage", "image2d", (89.48, 91.12), "cifar10", 10, None,
        Small("the same, in 2-D", PLANE | IMAGES, "cifar10"),
    ),
    Task(
        "2DPathfinder", "pathfinder2d", (94.80, 96.00), "lra", 2, None,
        Small("the same, in 2-D", PATHS | dict(pathfinder_2d.ROWS[0].small or {})),
    ),
)  # fmt: skip

STUDY = task_study(
    "table2",
    "the Long Range Arena, and its images as images",
    "Table 2 of the paper.",
    TASKS,
    SHARED,
    "imdb/ and cifar10/ (small), and lra/ (paper); any of them",
    average=Average(("ListOps", "Text", "Image", "Pathfinder"), (76.86, 77.02)),
    note="Small scale: CCNN-4,16 on parts of the data; ListOps and Pathfinder are generated.",
)

if __name__ == "__main__":
    main(STUDY)
