"""Unnamed columns behind a position: normals or colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.shape import ShapeError

_SHARE = 0.9
"""Least share of points with a normal of length 1; benchmarks have a few that are (1, 1, 1) or (0, 0, 0)."""


def normals_of(name: Path | str, columns: np.ndarray) -> np.ndarray | None:
    """The normals among the columns behind a position; None if these are colours, which shapes do not use.

    Normals have a length of about one; zeros and NaN mean that a point has none. If there are no other columns,
    negative numbers also identify normals. Colours are not negative, and up to 1 or whole numbers up to 65535. A colour
    of about length one, such as a medium grey, differs from a normal along all axes only if that normal has length 1 to
    within a thousandth. Normals may follow colours.

    Args:
        name: Name of the columns in errors.
        columns: ``[N, C]``, three or more.

    Raises:
        ShapeError: If they are neither, or could be both.

    Shapes:
        ``columns [N, C]`` -> ``[N, 3]``

    Example:
        >>> normals_of("a.xyz", np.array([[255, 128, 0], [12, 0, 7]])) is None
        True
    """
    with np.errstate(over="ignore", invalid="ignore"):
        first, behind = columns[:, :3], columns[:, 3:6]
        colours = _are_colours(first)
        # zeros mean no normal, unless they may be black
        if _have_length_one(first if colours else first[first.any(axis=1)], 0.001 if colours else 0.1):
            return first
        if colours and not _have_length_one(first, 0.01):
            told = behind.shape[1] == 3 and not _are_colours(behind) and _have_length_one(behind, 0.1)
            return behind if told else None
        if columns.shape[1] == 3 and np.nanmin(first) < 0:  # no colour; only the direction of a normal counts
            return first
        length = np.linalg.norm(first, axis=1)
        raise ShapeError(
            f"{name}: columns 4 to 6 are from {np.nanmin(first):.4g} to {np.nanmax(first):.4g}, as vectors of length "
            f"{np.nanmin(length):.4g} to {np.nanmax(length):.4g}, expected normals (length 1) or colours (0 to 1, or "
            "whole numbers from 0 to 255)"
        )


def _have_length_one(vectors: np.ndarray, tolerance: float) -> bool:
    known = vectors[np.isfinite(vectors).all(axis=1)]
    if len(known) == 0:
        return len(vectors) > 0  # the caller finds that they are not numbers
    return bool(np.mean(np.abs(np.linalg.norm(known, axis=1) - 1) <= tolerance) >= _SHARE)


def _are_colours(vectors: np.ndarray) -> bool:
    known = vectors[np.isfinite(vectors).all(axis=1)]
    largest = known.max(initial=0)
    whole = largest <= 65535 and bool((known == np.floor(known)).all())
    return bool(known.min(initial=0) >= 0 and (largest <= 1 or whole))
