"""The points of a scene, ordered by the cells of a tiling: in memory, or on disk if they do not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from ccnn_geo.export.scenes.tiling import Tiling, cells_of_points
from ccnn_geo.io.files.rows import FileRows
from ccnn_geo.io.scans.chunks import Part
from ccnn_geo.io.scans.frames import Frame
from ccnn_geo.transforms.scan_points import MADE

Parts = Callable[[], Iterable[Part]]
"""Yields the parts of a scene, as often as needed."""

Cell = tuple[int, int]


class Rows(Protocol):
    """An array in memory, or :class:`~ccnn_geo.io.files.rows.FileRows`."""

    def __getitem__(self, part: slice) -> np.ndarray: ...

    def __setitem__(self, part: slice, values: np.ndarray) -> None: ...


def make_rows(folder: Path | None, dtype: DTypeLike, count: int) -> Rows:
    """Zeros, on the disk of a folder or in memory."""
    return np.zeros(count, dtype) if folder is None else FileRows(folder, dtype, count)


@dataclass(frozen=True, eq=False)
class KeptPoints:
    """Points of a scene, cell after cell.

    Args:
        tiling: The tiling that defines the cells.
        rows: One row per point: ``xyz``, ``fields`` (the required measurements) and ``place`` in the scene.
        ranges: First row, and the one behind the last, for each cell with points.
        names: Names of the measurements.
        num_points: Points of the scene, including those without a position.
        path: The file, for messages.
    """

    tiling: Tiling
    rows: Rows
    ranges: dict[Cell, tuple[int, int]]
    names: tuple[str, ...]
    num_points: int
    path: Path | None

    @property
    def num_rows(self) -> int:
        """Number of points with a position."""
        return max(stop for _, stop in self.ranges.values())

    def slices(self, tile: Cell) -> list[slice]:
        """Rows of the cells that a tile touches."""
        found = (self.ranges.get(cell) for cell in self.tiling.cells_of(tile))
        return [slice(*bounds) for bounds in found if bounds is not None]

    def tiles(self) -> list[Cell]:
        """Tiles that touch a cell with points, in order."""
        return sorted({tile for cell in self.ranges for tile in self.tiling.tiles_of(cell)})

    def frame(self, points: np.ndarray) -> Frame:
        """Some rows as a scan."""
        columns = dict(zip(self.names, points["fields"].T, strict=True))
        return Frame(points["xyz"], columns, None, self.path)


def keep_points(
    parts: Parts, features: Sequence[str], tile: float | None, overlap: float, folder: Path | None
) -> KeptPoints:
    """Reads a scene twice: first its extent and the number of points per cell, then the points.

    Args:
        parts: The scene.
        features: Names of the features to keep, if they are measured.
        tile: Edge of the tiles.
        overlap: Least share of a tile that overlaps the next one.
        folder: Folder on the disk to use; None for memory.

    Raises:
        ValueError: If the file lacks a feature, or cannot be read.
    """
    names = tuple(dict.fromkeys(name for name in features if name not in MADE))
    low, high, num_points = np.full(2, np.inf), np.full(2, -np.inf), 0
    counts: Counter[Cell] = Counter()
    for frame, _, num_points in parts():  # noqa: B007
        _check(frame, names)
        low, high = np.minimum(low, frame.xyz[:, :2].min(0)), np.maximum(high, frame.xyz[:, :2].max(0))
        counts.update({cell: len(part) for cell, part in _by_cell(cells_of_points(frame.xyz, tile))})
    ends = np.cumsum([counts[cell] for cell in sorted(counts)]).tolist()
    ranges = {cell: (end - counts[cell], end) for cell, end in zip(sorted(counts), ends, strict=True)}
    dtype = np.dtype([("xyz", "f8", 3), ("fields", "f8", (len(names),)), ("place", "i8")])
    rows, free, path = make_rows(folder, dtype, ends[-1]), {cell: r[0] for cell, r in ranges.items()}, None
    for frame, places, _ in parts():
        points, path = np.empty(len(places), dtype), frame.path
        points["xyz"], points["place"] = frame.xyz, places
        for i, name in enumerate(names):
            points["fields"][:, i] = frame.fields[name]
        for cell, part in _by_cell(cells_of_points(frame.xyz, tile)):
            rows[free[cell] : free[cell] + len(part)] = points[part]
            free[cell] += len(part)
    return KeptPoints(Tiling(low, high, tile, overlap), rows, ranges, names, num_points, path)


def _check(frame: Frame, names: Sequence[str]) -> None:
    lacking = [name for name in names if name not in frame.fields]
    if lacking:
        raise ValueError(
            f"{frame.path or 'scan'}: no {', '.join(lacking)}, which the network was trained on; the file has "
            f"{', '.join(frame.fields) or 'no measurements'}"
        )


def _by_cell(cells: np.ndarray) -> Iterable[tuple[Cell, np.ndarray]]:
    """Cells with points, and the indices of these points, in order."""
    order = np.lexsort(cells.T[::-1])
    ordered = cells[order]
    bounds = np.flatnonzero((ordered[1:] != ordered[:-1]).any(1)) + 1
    for part in np.split(order, bounds):
        first, second = cells[part[0]].tolist()
        yield (first, second), part
