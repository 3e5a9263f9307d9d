"""Chooses the data module of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccnn_geo.datasets.registry import dataset_class
from ccnn_geo.datasets.shapes.shapes import is_sampled
from ccnn_geo.training.data.base import EpochDataModule
from ccnn_geo.training.data.grids import GridsDataModule
from ccnn_geo.training.data.points import PointsDataModule
from ccnn_geo.training.data.shapes import ShapesDataModule

MODULES: dict[str, type[EpochDataModule]] = {
    "sequence": GridsDataModule,
    "image": GridsDataModule,
    "shape": PointsDataModule,
    "series": PointsDataModule,
    "scene": PointsDataModule,
    "cloud": PointsDataModule,
}
"""Data modules by the family of a data set; the one for shape files samples their surfaces."""


def data_module(dataset: str) -> type[EpochDataModule]:
    """The data module of a data set.

    Raises:
        ValueError: For an unknown data set.
    """
    cls = dataset_class(dataset)
    return ShapesDataModule if is_sampled(cls) else MODULES[cls.info.family]


def make_data(settings: Mapping[str, Any]) -> EpochDataModule:
    """Makes a data module from plain settings."""
    cls = data_module(settings.get("dataset", "parametric"))
    augment = settings.get("augment")
    if isinstance(augment, Mapping):
        settings = {**settings, "augment": cls.augmentation(**augment)}
    return cls(**settings)
