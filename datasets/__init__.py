"""Data sets, one file each, and the parts for writing your own; installed as ``ccnn_geo.datasets``.

A class is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

from ccnn_geo._base.moved import keep_old_paths
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.base.signals import SignalDataset
from ccnn_geo.datasets.base.splits import stratified_split
from ccnn_geo.datasets.registry import PLACES, dataset_class
from ccnn_geo.datasets.shapes.meshes import box, tube
from ccnn_geo.datasets.shapes.parametric_shapes import PARAMETRIC_CLASSES, parametric_mesh
from ccnn_geo.datasets.shapes.shapes import ShapeDataset

_MODULES = {cls: module for module, _, cls in (place.partition(":") for place in PLACES.values())}

__all__ = [
    "PARAMETRIC_CLASSES",
    "DatasetInfo",
    "ShapeDataset",
    "SignalDataset",
    "box",
    "dataset_class",
    "parametric_mesh",
    "stratified_split",
    "tube",
    *_MODULES,
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


keep_old_paths(__path__)
