"""The data sets that a configuration can name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ccnn_geo.datasets import ModelNet10, ModelNet40, ParametricShapes, ShapeDataset, ShapeFolder

DATASETS: dict[str, Callable[..., ShapeDataset]] = {
    "parametric": ParametricShapes,
    "modelnet10": ModelNet10,
    "modelnet40": ModelNet40,
    "folder": ShapeFolder,
}
"""Ten parametric families (no download), ModelNet, and a folder ``root/<split>/<class>/<file>``."""


def open_split(dataset: str, root: str, split: str, **kwargs: Any) -> ShapeDataset:
    """Opens one split of a data set.

    Args:
        dataset: A key of :data:`DATASETS`.
        root: Where it is, or where it goes.
        split: ``train``, ``validation`` (folders only) or ``test``.
        **kwargs: Further arguments of the data set.

    Raises:
        ValueError: For an unknown data set or argument.
        FileNotFoundError: If a folder or split does not exist.
        ShapeError: If files cannot be read.
    """
    if dataset not in DATASETS:
        raise ValueError(f"data.dataset: expected one of {', '.join(DATASETS)}, got {dataset!r}")
    try:
        return DATASETS[dataset](root, split, **kwargs)
    except TypeError as error:
        raise ValueError(f"data.dataset_args: {error}") from error


def has_validation(dataset: str, root: str) -> bool:
    """Whether the data set comes with a validation split; otherwise one is taken from the training set."""
    return dataset == "folder" and (Path(root).expanduser() / "validation").is_dir()
