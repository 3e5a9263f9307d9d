"""Points of a cloud that are not there: depth cameras and gridded surveys write NaN for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo._base.caller import warn_caller
from ccnn_geo.io.shapes.shape import Shape


class MissingPoints(UserWarning):
    """Points of a cloud had NaN for a position and were left out; the message says how many."""


def present(xyz: np.ndarray) -> np.ndarray:
    """Which points have a position; all, if none has, for a cloud of nothing is an error.

    Shapes:
        ``xyz [N, 3]`` -> ``[N]`` bool
    """
    missing = np.isnan(xyz)
    if not missing.any():  # as nearly always, and faster than row by row
        return np.ones(len(xyz), dtype=bool)
    seen = ~missing.any(axis=1)
    return seen if seen.any() else np.ones(len(xyz), dtype=bool)


def left_out(name: Path | str, seen: np.ndarray) -> str:
    """The line that says so."""
    return f"{name}: {np.count_nonzero(~seen)} of {len(seen)} points have NaN for a position and are left out"


def without_missing(name: Path | str, shape: Shape) -> Shape:
    """A cloud without the points that have no position, which a warning counts; a mesh as it is."""
    vertices, normals = shape.vertices, shape.normals
    if (shape.faces is not None and len(shape.faces)) or (
        normals is not None and len(normals) != len(vertices)
    ):
        return shape
    seen = present(vertices)
    if seen.all():
        return shape
    warn_caller(left_out(name, seen), MissingPoints)
    return Shape(vertices[seen], None, None if normals is None else normals[seen], present=seen)
