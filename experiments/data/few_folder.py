"""A few training shapes of each class of a folder, and a fixed validation set.

    python -m ccnn_geo.experiments.data.few_folder ROOT OUT --per-class 20

From each class in ``ROOT/train``, sorted by name, the last 50 shapes are for validation and the first ``--per-class``
for training, as links in ``OUT``. A larger training set contains the smaller ones, and the validation set is the same.
"""

from __future__ import annotations

from pathlib import Path

from ccnn_geo.datasets.base.class_folders import class_folders
from ccnn_geo.datasets.shapes.shape_folder import SHAPES
from ccnn_geo.experiments.data.folds import Chosen, command, linked_folder
from ccnn_geo.io.files.sample_files import list_samples

VALIDATION = 50
"""Validation shapes of each class."""


def few_folder(root: Path, out: Path, per_class: int) -> Path:
    """Writes a few shapes of each class as a folder of links, unless the folder exists.

    Args:
        root: ``train/<class>/<file>``.
        out: The folder; it is complete or absent.
        per_class: Training shapes of each class.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: If there are no shapes.
        ValueError: If a class has fewer shapes than these and :data:`VALIDATION`.
    """

    def choose() -> Chosen:
        classes = {
            name: list_samples(folder, SHAPES).paths for name, folder in class_folders(root, "train").items()
        }
        few = [
            f"{name} ({len(files)})" for name, files in classes.items() if len(files) < per_class + VALIDATION
        ]
        if few or per_class < 1:
            raise ValueError(
                f"{root}: expected {per_class} shapes of each class, 1 or more, and {VALIDATION} to validate, got "
                f"{', '.join(few)}"
            )
        return {
            "train": {name: files[:per_class] for name, files in classes.items()},
            "validation": {name: files[-VALIDATION:] for name, files in classes.items()},
        }

    return linked_folder(out, choose)


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of files of each split."""
    command(__doc__, argv, few_folder, "per_class")


if __name__ == "__main__":
    main()
