"""Columns behind a position that no header names: normals, or colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.shape import ShapeError

_SHARE = 0.9
"""Part of the points whose normal has the length 1; benchmarks have a few that are (1, 1, 1) or (0, 0, 0)."""


def normals_of(name: Path | str, columns: np.ndarray) -> np.ndarray | None:
    """The normals among the columns behind a position; None if those are colours, which a shape has no use for.

    Normals have a length of about one, where zeros and NaN say that a point has none; if they are the only columns,
    negative numbers tell them too. Colours are not negative, and up to 1 or whole numbers up to 65535. A colour of
    about length one, such as a medium grey, is told from a normal that points along all axes only where that normal has
    its length to a thousandth. Behind colours there may be normals.

    Args:
        name: What an error calls them.
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
        # zeros say that there is no normal, unless they may be black
        if _have_length_one(first if colours else first[first.any(axis=1)], 0.001 if colours else 0.1):
            return first
        if colours and not _have_length_one(first, 0.01):
            told = behind.shape[1] == 3 and not _are_colours(behind) and _have_length_one(behind, 0.1)
            return behind if told else None
        if columns.shape[1] == 3 and np.nanmin(first) < 0:  # no colour; of a normal the direction counts
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
        return len(vectors) > 0  # whoever asks finds that they are no numbers
    return bool(np.mean(np.abs(np.linalg.norm(known, axis=1) - 1) <= tolerance) >= _SHARE)


def _are_colours(vectors: np.ndarray) -> bool:
    known = vectors[np.isfinite(vectors).all(axis=1)]
    largest = known.max(initial=0)
    whole = largest <= 65535 and bool((known == np.floor(known)).all())
    return bool(known.min(initial=0) >= 0 and (largest <= 1 or whole))
