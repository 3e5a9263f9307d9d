"""Occupancy grids as shapes: the cells at their surface."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.shape import Shape, ShapeError

NAMES = ("voxels", "occupancy", "grid", "data")
"""Name of a grid in an archive of several arrays."""


def is_grid(array: np.ndarray) -> bool:
    """Whether an array has three axes, or four with a single channel first."""
    return array.ndim == 3 or (array.ndim == 4 and array.shape[0] == 1)


def voxel_shape(name: Path | str, grid: np.ndarray, spacing: np.ndarray | None = None) -> Shape:
    """Centres of the surface cells of a grid, centres of all occupied cells, and the edges of a cell.

    A cell is at the surface if it is occupied and a neighbour across a face is empty; all cells outside are empty.

    Args:
        name: Name of the file, for messages.
        grid: Truth values, or numbers that are all 0 or one other value.
        spacing: Edges of a cell, one number or one per axis; 1 by default.

    Shapes:
        ``grid [S0, S1, S2]`` -> ``vertices [N, 3]``, ``solid [M, 3]``, axes x, y, z in the order of the grid

    Raises:
        ShapeError: If it holds other numbers, or is empty.

    Example:
        >>> cube = voxel_shape("cube", np.ones((3, 3, 3), dtype=bool))
        >>> cube.vertices.shape, cube.solid.shape
        ((26, 3), (27, 3))
    """
    grid = grid[0] if grid.ndim == 4 else grid
    values = np.unique(grid) if grid.dtype.kind in "biuf" else np.zeros(0)
    if len(values) == 0 or len(values) > 2 or (len(values) == 2 and values[0] != 0) or not values[-1] > 0:
        shown = ", ".join(f"{v:g}" for v in values[:3]) + (", ..." if len(values) > 3 else "")
        raise ShapeError(
            f"{name}: a grid {list(grid.shape)} of {grid.dtype} with the values {shown or 'none'}, expected occupied "
            "and empty cells, such as 1 and 0, with at least one occupied"
        )
    step = np.ones(3) if spacing is None else np.broadcast_to(np.asarray(spacing, dtype=np.float64), 3).copy()
    if not (np.isfinite(step).all() and (step > 0).all()):
        raise ShapeError(f"{name}: spacing {step.tolist()}, expected numbers above 0")
    occupied = grid != 0
    surface = np.argwhere(occupied & ~_inside(occupied))
    return Shape(surface * step, cell=step, solid=np.argwhere(occupied) * step)


def _inside(occupied: np.ndarray) -> np.ndarray:
    """The cells with six occupied neighbours."""
    padded, inside = np.pad(occupied, 1), np.ones_like(occupied)
    for axis in range(3):
        for step in (-1, 1):
            inside &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    return inside
