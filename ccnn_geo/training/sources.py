"""The data sets that a configuration can name."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from ccnn_geo.datasets import ModelNet10, ModelNet40, ParametricShapes, ShapeDataset, ShapeFolder

OWN = frozenset({"num_points", "num_samples", "seed", "k", "transform"})
"""Arguments of data sets that the data module sets."""

DATASETS: dict[str, type[ShapeDataset]] = {
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
        ValueError: For an unknown data set.
        FileNotFoundError: If a folder or split does not exist.
        ShapeError: If files cannot be read.
    """
    if dataset not in DATASETS:
        raise ValueError(f"data.dataset: expected one of {', '.join(DATASETS)}, got {dataset!r}")
    return DATASETS[dataset](root, split, **kwargs)


def check_arguments(dataset: str, arguments: Mapping[str, Any]) -> None:
    """Finds arguments that a data set does not have, or that are settings of their own.

    Raises:
        ValueError: For such an argument.
    """
    classes = [c for c in DATASETS[dataset].__mro__ if issubclass(c, ShapeDataset)]
    known = {
        name
        for c in classes
        for name, argument in signature(c.__init__).parameters.items()
        if argument.kind is argument.KEYWORD_ONLY
    }
    known -= OWN
    unknown = set(arguments) - known
    if unknown:
        raise ValueError(
            f"data.dataset_args: expected some of {', '.join(sorted(known))}, got {', '.join(sorted(unknown))}"
        )


def has_validation(dataset: str, root: str) -> bool:
    """Whether the data set comes with a validation split; otherwise one is taken from the training set."""
    return dataset == "folder" and (Path(root).expanduser() / "validation").is_dir()
