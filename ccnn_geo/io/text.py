"""Lines, tables and polygons of text files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ccnn_geo.io.shape import ShapeError


def lines_of(path: Path) -> list[str]:
    """Lines that say something; comments start with #."""
    text = path.read_text(encoding="utf-8", errors="replace").removeprefix("\ufeff")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def table_of(path: Path, lines: list[str], what: str) -> np.ndarray:
    """Numbers as ``[rows, columns]`` with three columns or more, the same in every row."""
    if not lines:
        raise ShapeError(f"{path}: no {what} found, expected at least one")
    rows = [line.split() for line in lines]
    widths = {len(row) for row in rows}
    if len(widths) > 1 or min(widths) < 3:
        raise ShapeError(
            f"{path}: {what} with {sorted(widths)} columns, expected 3 or more, the same in every row"
        )
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise ShapeError(f"{path}: {error} among the {what}, expected numbers") from None


def fan_triangles(path: Path, rows: Iterator[list[str]]) -> np.ndarray:
    """Rows ``n i_1 ... i_n [colour]`` as triangle fans."""
    counts, values = [], []
    for number, row in enumerate(rows):
        try:
            corners = [int(i) for i in row[1 : int(row[0]) + 1]]
        except ValueError:
            corners = None
        if corners is None or len(corners) != int(row[0]):
            raise ShapeError(
                f"{path}: face {number} is {' '.join(row)[:40]!r}, expected a count and as many indices"
            )
        counts.append(len(corners))
        values += corners
    return fans(np.array(counts, dtype=np.int64), np.array(values, dtype=np.int64))


def fans(count: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Polygons as triangle fans; points and edges (two corners or fewer) have no area: left out.

    Shapes: ``[P]`` and ``[sum(count)]`` to ``[F, 3]``.
    """
    count = count.astype(np.int64)
    triangles = np.maximum(count - 2, 0)
    first = np.repeat(np.cumsum(count) - count, triangles)
    step = np.arange(len(first)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    return np.stack([corners[first], corners[first + step + 1], corners[first + step + 2]], axis=1)
