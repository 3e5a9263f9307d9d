"""Overlapping square tiles over a scene, and the weight of a point's prediction in each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil, floor

import numpy as np

FAINTEST = 1e-3
"""Weight of a prediction at a tile's edge, so that every point has one."""

CELLS = 4
"""Width of a tile in cells: points are stored by cells, and a tile reads the cells that it touches."""


def cells_of_points(xyz: np.ndarray, tile: float | None) -> np.ndarray:
    """The cell that stores each point, ``[N, 2]`` int64; a single cell without tiles."""
    if tile is None:
        return np.zeros((len(xyz), 2), np.int64)
    return np.floor(xyz[:, :2] / (tile / CELLS)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Tiling:
    r"""Tiles of one size; the first and the last end with the scene.

    The predictions of the tiles that hold a point are averaged, weighted by its distance to their edges:

    .. math::
        w(p) = \prod_{d} \min(1, e_d(p) / o_d)

    with :math:`e_d` the distance to the nearer edge along an axis and :math:`o_d` the overlap there; the weights of two
    neighbours add up to 1.

    Args:
        low: Smallest coordinates of the scene, ``[2]``.
        high: Largest coordinates of the scene.
        tile: Edge of the tiles, in units of the file; None for a single tile.
        overlap: Least share of a tile that overlaps the next one, up to a half.

    Raises:
        ValueError: If the overlap is out of range.

    Example:
        >>> tiling = Tiling(np.zeros(2), np.array([100.0, 30.0]), 40.0, 0.25)
        >>> tiling.counts, tiling.steps
        ([3, 1], [30.0, 0.0])
        >>> at = np.array([[32.0, 10.0, 0.0]])
        >>> tiling.weight(at, (0, 0)).item(), tiling.weight(at, (1, 0)).item()
        (0.8, 0.2)
    """

    low: np.ndarray
    high: np.ndarray
    tile: float | None
    overlap: float

    def __post_init__(self) -> None:
        if not 0 <= self.overlap <= 0.5:
            raise ValueError(f"scenes: expected an overlap from 0 to 0.5 of a tile, got {self.overlap}")

    @property
    def edge(self) -> float:
        """Edge of a tile, in units of the file."""
        return self.tile if self.tile is not None else float((self.high - self.low).max()) or 1.0

    @property
    def counts(self) -> list[int]:
        """Number of tiles along x and y."""
        shared = self.overlap * self.edge
        return [max(1, ceil((d - shared) / (self.edge - shared))) for d in (self.high - self.low).tolist()]

    @property
    def steps(self) -> list[float]:
        """Distance between tiles along x and y; 0 along an axis with one tile."""
        free = (self.high - self.low - self.edge).tolist()
        return [f / (n - 1) if n > 1 else 0.0 for f, n in zip(free, self.counts, strict=True)]

    @property
    def slack(self) -> float:
        """Largest shortfall of a tile's size by rounding."""
        return 1e-9 * self.edge + 1e-14 * float(np.abs([self.low, self.high]).max())

    def corner(self, tile: tuple[int, int]) -> np.ndarray:
        """Smallest x and y of a tile, ``[2]``."""
        return self.low + np.array(tile) * self.steps

    def inside(self, xyz: np.ndarray, tile: tuple[int, int]) -> np.ndarray:
        """Mask of the points in a tile, ``[N]``."""
        beyond = xyz[:, :2] - self.corner(tile)
        return ((beyond >= -self.slack) & (beyond <= self.edge + self.slack)).all(1)

    def weight(self, xyz: np.ndarray, tile: tuple[int, int]) -> np.ndarray:
        """Weights of a tile's predictions, ``[N]``, for points inside it."""
        beyond, weight = xyz[:, :2] - self.corner(tile), np.ones(len(xyz))
        for along, step, num in zip(beyond.T, self.steps, self.counts, strict=True):
            shared = self.edge - step
            if num > 1 and shared > self.slack:
                weight *= np.clip(np.minimum(along, self.edge - along) / shared, FAINTEST, 1)
        return weight

    def cells_of(self, tile: tuple[int, int]) -> list[tuple[int, int]]:
        """Cells that a tile touches."""
        corner = self.corner(tile)
        ends = np.array([corner - self.slack, corner + self.edge + self.slack])
        first, last = cells_of_points(ends, self.tile).tolist()
        along_x, along_y = (range(a, b + 1) for a, b in zip(first, last, strict=True))
        return list(product(along_x, along_y))

    def tiles_of(self, cell: tuple[int, int]) -> list[tuple[int, int]]:
        """Tiles that may touch a cell."""
        if self.tile is None:
            return [(0, 0)]
        width, found = self.tile / CELLS, list[range]()
        for index, low, step, num in zip(cell, self.low.tolist(), self.steps, self.counts, strict=True):
            start = index * width - low
            first = floor((start - self.edge) / step) if step else 0
            last = ceil((start + width) / step) if step else 0
            found.append(range(max(0, first), min(num - 1, last) + 1))
        along_x, along_y = found
        return list(product(along_x, along_y))
