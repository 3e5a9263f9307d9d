"""Grids, points and voxels: three representations of the same signal, with their coordinates.

A lattice of ``size`` cells and spacing ``h`` has its cell ``i`` at ``(i - (size - 1) / 2) * h`` along each
axis, so it is centred at the origin. Cells are listed with the last axis fastest, like ``x_grid.flatten(2)``.
"""

import math
from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import Batch, Data
from ccnn_geo.functional.clouds import as_clouds

Spacing = float | Sequence[float] | None


def grid_spacing(size: Sequence[int], spacing: Spacing = None) -> tuple[float, ...]:
    """Distance between neighbouring cells along each axis.

    Without ``spacing`` the longest axis spans ``[-1, 1]`` and all axes share its ``2 / (max(size) - 1)``, the
    normalised positions of the paper (Sec. 3). A grid with a single cell has spacing 1.

    Args:
        size: cells along each of the D axes.
        spacing: one distance for all axes, or one per axis.

    Returns:
        D floats, in the units of ``pos``.

    Raises:
        ValueError: if an axis is empty, or the spacing is not positive and finite, or has the wrong length.
    """
    size = _check_size(size)
    if spacing is None:
        longest = max(size)
        return (2.0 / (longest - 1) if longest > 1 else 1.0,) * len(size)
    given = [spacing] * len(size) if isinstance(spacing, (int, float, Real)) else spacing
    steps = tuple(float(h) for h in given)
    if len(steps) != len(size):
        raise ValueError(f"spacing has {len(steps)} entries {steps}, but size {size} has {len(size)} axes")
    if not all(math.isfinite(h) and h > 0 for h in steps):
        raise ValueError(f"spacing must be positive and finite, got {steps}")
    return steps


def grid_positions(
    size: Sequence[int],
    spacing: Spacing = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Coordinates of the cells of a centred lattice.

    Args:
        size: cells along each of the D axes.
        spacing: see :func:`grid_spacing`.
        dtype: floating type of the result (default: torch's default).
        device: device of the result.

    Shapes:
        returns ``[prod(size), D]``, last axis fastest: row ``i`` belongs to ``x_grid.flatten(2)[..., i]``.

    Raises:
        ValueError: as in :func:`grid_spacing`.
    """
    size = _check_size(size)
    # float64 first: a sequence of 16,000 samples has a spacing of only 1e-4
    axes = [
        (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * h
        for n, h in zip(size, grid_spacing(size, spacing), strict=True)
    ]
    pos = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, len(size))
    return pos.to(device=device, dtype=dtype or torch.get_default_dtype())


def _check_size(size: Sequence[int]) -> tuple[int, ...]:
    size = tuple(int(n) for n in size)
    if not size or min(size) < 1:
        raise ValueError(f"size must name at least one axis and one cell on each, got {size}")
    return size


def to_points(x_grid: Tensor, spacing: Spacing = None) -> Batch:
    """Converts grids to clouds: every cell becomes a point with the cell's features.

    Args:
        x_grid: features on the lattice.
        spacing: see :func:`grid_spacing`.

    Shapes:
        ``x_grid [B, C, *S]`` -> ``x [B * prod(S), C]``, ``pos [B * prod(S), D]``, ``batch [B * prod(S)]``.

    Raises:
        ValueError: if ``x_grid`` has no spatial axis, or no sample.
    """
    if x_grid.dim() < 3 or x_grid.size(0) == 0:
        raise ValueError(
            f"x_grid must be [B, C, *S] with B > 0 and one axis or more, got {list(x_grid.shape)}"
        )
    dtype = x_grid.dtype if x_grid.dtype in (torch.float32, torch.float64) else torch.float32
    pos = grid_positions(x_grid.shape[2:], spacing, dtype=dtype, device=x_grid.device)
    return Batch.from_data_list([Data(x=x, pos=pos) for x in x_grid.flatten(2).transpose(1, 2)])


def to_grid(
    x: Tensor,
    pos: Tensor,
    batch: Tensor | None = None,
    *,
    size: Sequence[int],
    spacing: Spacing = None,
    batch_size: int | None = None,
    tolerance: float = 0.05,
) -> Tensor:
    """Converts points on a lattice to grids; the inverse of :func:`to_points`.

    Empty cells are zero; points that share a cell are averaged. Voxels of :func:`voxelize` with ``n`` bins on
    ``[-1, 1]`` need ``size=(n,) * D, spacing=2 / n``.

    Args:
        x: point features.
        pos: coordinates.
        batch: cloud of each point (default: one cloud).
        size: cells along each of the D axes.
        spacing: see :func:`grid_spacing`.
        batch_size: number of clouds (default: the largest index in ``batch``, plus one).
        tolerance: allowed distance from the lattice, as a fraction of the spacing.

    Shapes:
        ``x [N, C]``, ``pos [N, D]``, ``batch [N]`` -> ``[B, C, *size]``.

    Raises:
        ValueError: if a point is off the lattice or outside it, or shapes disagree.
    """
    size = _check_size(size)
    batch = _check_points(pos, x, batch)
    if pos.size(1) != len(size):
        raise ValueError(
            f"pos {list(pos.shape)} has {pos.size(1)} coordinates, size {size} has {len(size)} axes"
        )
    step = torch.tensor(grid_spacing(size, spacing), dtype=torch.float64, device=pos.device)
    extent = torch.tensor(size, device=pos.device)
    exact = pos.detach().double() / step + (extent - 1) / 2
    cell = exact.round()
    off = (exact - cell).abs().amax() if len(pos) else exact.new_zeros(())
    if not off <= tolerance:  # also catches NaN
        raise ValueError(
            f"points must lie on the lattice of size {size} and spacing {tuple(step.tolist())}; "
            f"the worst is {off.item():.3g} spacings away, allowed are {tolerance:g}"
        )
    cell = cell.long()
    if ((cell < 0) | (cell >= extent)).any():
        raise ValueError(
            f"points must lie inside the lattice of size {size} and spacing {tuple(step.tolist())}; "
            f"they span {pos.amin(0).tolist()} to {pos.amax(0).tolist()}"
        )
    num_clouds = _count_clouds(batch, batch_size)
    index = _ravel(cell, size) + batch * math.prod(size)
    grid = _mean_by(x, index, num_clouds * math.prod(size))
    return grid.reshape(num_clouds, *size, x.size(1)).movedim(-1, 1)


def voxelize(
    pos: Tensor,
    size: int = 40,
    x: Tensor | None = None,
    batch: Tensor | None = None,
    bounds: tuple[float, float] = (-1.0, 1.0),
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Centres of the non-empty voxels of each cloud (Appendix B: 40 bins per axis on [-1, 1]).

    Bin ``i`` covers ``[low + i h, low + (i + 1) h)`` with ``h = (high - low) / size``; its centre is
    ``low + (i + 1/2) h``. A point on the upper face belongs to the last bin.

    Args:
        pos: coordinates, within ``bounds`` up to rounding.
        size: bins along each axis.
        x: features, averaged over the points of a voxel.
        batch: cloud of each point (default: one cloud).
        bounds: lower and upper face of the box, the same for all axes.

    Shapes:
        ``pos [N, D]``, ``x [N, C]``, ``batch [N]`` -> ``(pos [M, D], x [M, C] or None, batch [M])``,
        ordered by cloud, then by cell with the last axis fastest.

    Raises:
        ValueError: if a point is outside ``bounds``, or arguments disagree.
    """
    batch = _check_points(pos, x, batch)
    low, high = (float(b) for b in bounds)
    if size < 1 or not low < high:
        raise ValueError(
            f"voxelize needs size >= 1 and low < high, got size {size} and bounds {tuple(bounds)}"
        )
    step = (high - low) / size
    exact = (pos.detach().double() - low) / step
    slack = 1e-3  # of a voxel, for rounding when positions are normalised in float32
    if len(pos) and not bool((exact >= -slack).all() & (exact <= size + slack).all()):
        raise ValueError(
            f"points must lie within {bounds} on every axis, but span {pos.amin(0).tolist()} to "
            f"{pos.amax(0).tolist()}; normalise them first (NormalizeSphere) or widen bounds"
        )
    cell = exact.floor().long().clamp(0, size - 1)
    shape = (size,) * pos.size(1)
    key = _ravel(cell, shape) + batch * math.prod(shape)
    voxel, index = key.unique(return_inverse=True)
    digits = torch.stack(torch.unravel_index(voxel % math.prod(shape), shape), dim=-1)
    centers = (low + (digits.double() + 0.5) * step).to(pos.dtype)
    features = None if x is None else _mean_by(x, index, len(voxel))
    return centers, features, voxel // math.prod(shape)


def _check_points(pos: Tensor, x: Tensor | None, batch: Tensor | None) -> Tensor:
    check_one_device("points", pos=pos, x=x, batch=batch)
    if pos.dim() != 2:
        raise ValueError(f"pos must be [N, D], got {list(pos.shape)}")
    if x is not None and (x.dim() != 2 or len(x) != len(pos)):
        raise ValueError(f"x must be [N, C] with N = {len(pos)} like pos, got {list(x.shape)}")
    if batch is None:
        return torch.zeros(len(pos), dtype=torch.long, device=pos.device)
    batch = as_clouds(batch, "batch")  # cells of all clouds are numbered, which may exceed int32
    if batch.shape != pos.shape[:1]:
        raise ValueError(f"batch must be [N] with N = {len(pos)} like pos, got {list(batch.shape)}")
    return batch


def _count_clouds(batch: Tensor, batch_size: int | None) -> int:
    seen = int(batch.max()) + 1 if len(batch) else 0
    if batch_size is not None and batch_size < seen:
        raise ValueError(f"batch_size is {batch_size}, but batch contains cloud {seen - 1}")
    return seen if batch_size is None else batch_size


def _ravel(cell: Tensor, size: tuple[int, ...]) -> Tensor:
    """Index of a cell in the flattened lattice, last axis fastest."""
    index = cell.new_zeros(len(cell))
    for axis, n in enumerate(size):
        index = index * n + cell[:, axis]
    return index


def _mean_by(x: Tensor, index: Tensor, num: int) -> Tensor:
    total = x.new_zeros(num, x.size(1)).index_add(0, index, x)
    count = torch.bincount(index, minlength=num).clamp(min=1)
    return total / count.to(x.dtype).unsqueeze(1)
