"""Missing points of a cloud: depth cameras and gridded surveys write NaN for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo._base.caller import warn_caller
from ccnn_geo.io.shapes.shape import Shape


class MissingPoints(UserWarning):
    """Points of a cloud had NaN as position and were left out; the message says how many."""


def present(xyz: np.ndarray) -> np.ndarray:
    """A mask of the points that have a position; all points if none has, because an empty cloud is an error.

    Shapes:
        ``xyz [N, 3]`` -> ``[N]`` bool
    """
    missing = np.isnan(xyz)
    if not missing.any():  # as nearly always, and faster than row by row
        return np.ones(len(xyz), dtype=bool)
    seen = ~missing.any(axis=1)
    return seen if seen.any() else np.ones(len(xyz), dtype=bool)


def left_out(name: Path | str, seen: np.ndarray) -> str:
    """The warning about missing points."""
    return f"{name}: {np.count_nonzero(~seen)} of {len(seen)} points have NaN as position and are left out"


def without_missing(name: Path | str, shape: Shape) -> Shape:
    """A cloud without the points that lack a position, with a warning; a mesh as it is."""
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
