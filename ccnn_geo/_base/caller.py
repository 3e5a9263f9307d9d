"""Warnings that name the line of the program that asked, not one of this package."""

from __future__ import annotations

import sys
import warnings

_BETWEEN = frozenset(
    {"ccnn_geo", "torch", "torch_geometric", "lightning", "numpy", "contextlib", "multiprocessing"}
)
"""Packages that call this one on behalf of somebody else, and this one."""


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns from the nearest line that belongs to none of the packages between a program and its data."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
