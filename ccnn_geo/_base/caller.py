"""Warnings that point to a line of the user's program, not of this package."""

from __future__ import annotations

import sys
import warnings

_BETWEEN = frozenset(
    {"ccnn_geo", "torch", "torch_geometric", "lightning", "numpy", "contextlib", "multiprocessing"}
)
"""This package, and packages that call it on behalf of a user."""


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns from the nearest line outside this package and those that call it for the user."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
