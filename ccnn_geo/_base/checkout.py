"""Finds ``ccnn_geo.datasets`` and ``ccnn_geo.experiments`` where they lie beside this folder: in a checkout.

Installed, they lie inside the package. But Python started in a checkout takes the package from there, whatever is
installed, so that ``python -m ccnn_geo.experiments.<name>`` would not find what the installation has.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parents[1]
BESIDE = {f"{HERE.name}.{name}" for name in ("datasets", "experiments")}


class BesideFinder:
    """The last of ``sys.meta_path``, for the two names."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(HERE.parent)]) if name in BESIDE else None


def find_beside() -> None:
    """Puts the finder in place, unless the package holds all of its parts."""
    if not (HERE / "datasets").is_dir():
        sys.meta_path.append(BesideFinder)
