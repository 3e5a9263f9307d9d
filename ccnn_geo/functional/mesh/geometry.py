"""The lattices of a batch of clouds, which all mesh convolutions with one spacing share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ccnn_geo._base.sending import made_on, sent
from ccnn_geo.functional.clouds import as_clouds
from ccnn_geo.functional.mesh.bspline import bspline_nodes
from ccnn_geo.functional.mesh.stencil import Stencil

MAX_CELLS = 1 << 26
"""Largest padded lattice of one cloud: 256 MB per channel in float32, with several in memory."""

GROUP_CELLS = 1 << 17
"""Number of cells of clouds that are processed together."""


@dataclass(frozen=True)
class LatticeGroup:
    """Clouds of similar extent on lattices of one size ``[num_clouds, *size]``."""

    size: tuple[int, ...]
    num_clouds: int
    src: Stencil
    dst: Stencil


@dataclass(frozen=True)
class MeshGeometry:
    """Positions of sources and targets on lattices of one spacing, one lattice per cloud.

    ``coords_src [N, D]`` and ``coords_dst [M, D]`` are coordinates in cells relative to the mean of the cloud's
    sources. Gradients reach the positions through them, and a translation of the cloud changes nothing. ``extent``
    is the largest offset between a source and a target per axis, in the unit of the positions.
    """

    coords_src: Tensor
    coords_dst: Tensor
    spacing: tuple[float, ...]
    order: int
    extent: tuple[float, ...]
    groups: list[LatticeGroup]

    @property
    def size(self) -> tuple[int, ...]:
        """The largest number of cells per axis over all clouds."""
        return tuple(max((g.size[d] for g in self.groups), default=0) for d in range(len(self.spacing)))

    @staticmethod
    def build(
        pos_src: Tensor,
        pos_dst: Tensor | None,
        spacing: Sequence[float],
        order: int,
        batch_src: Tensor | None = None,
        batch_dst: Tensor | None = None,
        batch_size: int | None = None,
    ) -> MeshGeometry:
        """Places a lattice around the sources and targets of each cloud.

        The sizes of the lattices go to the host: one synchronisation with the device here, one for the number of
        clouds if it is not given, one per group of clouds if there are several, and one per block of points when a
        stencil is first spread.

        Args:
            pos_src: Positions of the sources.
            pos_dst: Positions of the targets; ``None`` for the same points.
            spacing: Distance between the lattice's cells per axis.
            order: Order of the B-splines, at least 2.
            batch_src: Cloud of each source; one cloud by default.
            batch_dst: Cloud of each target.
            batch_size: Number of clouds.

        Shapes:
            - **pos_src:** :math:`(N, D)`; **pos_dst:** :math:`(M, D)`, same unit as ``spacing``

        Raises:
            ValueError: If positions are not finite, or a lattice would exceed :data:`MAX_CELLS`.
        """
        dim = pos_src.size(1)
        if order < 2:
            raise ValueError(f"MeshGeometry: expected order >= 2, got {order}")
        if len(spacing) != dim or not all(0 < h < math.inf for h in spacing):
            raise ValueError(f"MeshGeometry: expected {dim} spacings > 0, got {tuple(spacing)}")
        same = pos_dst is None
        if pos_dst is None:
            pos_dst, batch_dst = pos_src, batch_src
        batch_src = _cloud_of(pos_src, batch_src)
        batch_dst = batch_src if same else _cloud_of(pos_dst, batch_dst)
        if batch_size is None:
            batches = (batch_src,) if same else (batch_src, batch_dst)
            batch_size = 1 + max((int(b.max()) for b in batches if b.numel() > 0), default=0)

        step = made_on(pos_src, spacing)
        count = _count(batch_src, batch_size)
        total = pos_src.new_zeros(batch_size, dim).index_add(0, batch_src, pos_src)
        mean = total / count.clamp(min=1).unsqueeze(1).to(total)
        coords_src = (pos_src - mean.index_select(0, batch_src)) / step
        coords_dst = coords_src if same else (pos_dst - mean.index_select(0, batch_dst)) / step

        with torch.no_grad():
            src = _Located.at(coords_src, batch_src, order)
            dst = src if same else _Located.at(coords_dst, batch_dst, order)
            (src_low, src_high), (dst_low, dst_high) = (p.box(batch_size) for p in (src, dst))
            low = bspline_nodes(torch.minimum(src_low, dst_low), order)[0]
            high = bspline_nodes(torch.maximum(src_high, dst_high), order)[0] + (order - 1)
            used = ((count > 0) & (_count(batch_dst, batch_size) > 0)).unsqueeze(1)
            size = torch.where(used, high - low + 1, 0.0)
            offset = torch.where(used, torch.maximum(dst_high - src_low, src_high - dst_low) * step, 0.0)
            *sizes, extent = torch.cat([size, offset.amax(0, keepdim=True)]).tolist()
            _check_sizes(sizes, spacing)
            groups = [
                _make_group(clouds, size, src, dst, low, batch_size, order)
                for clouds, size in _plan_groups([[int(s) for s in size] for size in sizes])
            ]
        return MeshGeometry(coords_src, coords_dst, tuple(spacing), order, tuple(extent), groups)


@dataclass(frozen=True)
class _Located:
    """Points with their cloud ``[P]``, coordinates, lowest node (integral floats) and remainder ``[P, D]``."""

    batch: Tensor
    coords: Tensor
    node: Tensor
    rest: Tensor

    @staticmethod
    def at(coords: Tensor, batch: Tensor, order: int) -> _Located:
        return _Located(batch, coords.detach(), *bspline_nodes(coords.detach(), order))

    def box(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Lowest and highest coordinates per cloud, ``[batch_size, D]``."""
        low = self.coords.new_full((batch_size, self.coords.size(1)), math.inf)
        index = self.batch.unsqueeze(1).expand_as(self.coords)
        return (
            low.scatter_reduce(0, index, self.coords, "amin"),
            (-low).scatter_reduce(0, index, self.coords, "amax"),
        )


def _cloud_of(pos: Tensor, batch: Tensor | None) -> Tensor:
    if batch is None:
        return torch.zeros(pos.size(0), dtype=torch.long, device=pos.device)
    return as_clouds(batch, "batch")


def _count(batch: Tensor, batch_size: int) -> Tensor:
    """Points of each cloud; ``bincount`` would wait for a GPU."""
    if batch.device.type != "cuda":
        return torch.bincount(batch, minlength=batch_size)
    return batch.new_zeros(batch_size).index_add_(0, batch, torch.ones_like(batch))


def _check_sizes(sizes: list[list[float]], spacing: Sequence[float]) -> None:
    for cloud, size in enumerate(sizes):
        if not all(math.isfinite(s) for s in size):
            raise ValueError(f"MeshGeometry: positions of cloud {cloud} are not finite")
        check_cells(size, spacing, f"cloud {cloud}")


def check_cells(size: Sequence[float], spacing: Sequence[float], what: str) -> None:
    """Raises an error that says what to change if a lattice exceeds the budget."""
    cells = math.prod(size)
    if cells > MAX_CELLS:
        raise ValueError(
            f"mesh_conv: {what} needs {' x '.join(f'{s:.0f}' for s in size)} = {cells:.3g} cells at spacing "
            f"{', '.join(f'{h:.4g}' for h in spacing)} ({4 * cells / 2**30:.3g} GB per channel in float32), above the "
            f"budget of {MAX_CELLS} cells; give a coarser spacing, lower the kernel's frequencies or its oversampling, "
            "bound its support, or use the edge path"
        )


def _plan_groups(sizes: list[list[int]]) -> list[tuple[list[int], tuple[int, ...]]]:
    """Packs clouds of similar size; pads none to more than twice its cells."""
    order = sorted((b for b, s in enumerate(sizes) if math.prod(s) > 0), key=lambda b: -math.prod(sizes[b]))
    groups: list[tuple[list[int], tuple[int, ...]]] = []
    for b in order:
        if groups:
            clouds, size = groups[-1]
            joint = tuple(max(a, s) for a, s in zip(size, sizes[b], strict=True))
            cells = math.prod(joint)
            if cells * (len(clouds) + 1) <= GROUP_CELLS and cells <= 2 * math.prod(sizes[b]):
                groups[-1] = ([*clouds, b], joint)
                continue
        groups.append(([b], tuple(sizes[b])))
    return groups


def _make_group(
    clouds: list[int],
    size: tuple[int, ...],
    src: _Located,
    dst: _Located,
    low: Tensor,
    batch_size: int,
    order: int,
) -> LatticeGroup:
    slots = torch.full((batch_size,), -1, dtype=torch.long)
    slots[clouds] = torch.arange(len(clouds))
    slots = sent(slots, low.device)
    strides = [math.prod(size[d + 1 :]) for d in range(len(size))]

    def stencil(points: _Located) -> Stencil:
        slot = slots[points.batch]
        if len(clouds) == batch_size:  # all points, which need not be looked for
            rows = torch.arange(slot.numel(), device=slot.device)
        else:
            rows = torch.nonzero(slot >= 0).flatten()
        cell = (points.node[rows] - low[points.batch[rows]]).long()
        base = slot[rows] * math.prod(size) + sum(cell[:, d] * s for d, s in enumerate(strides))
        base, ascending = base.sort()
        rows = rows[ascending]
        return Stencil(rows, base, points.rest[rows], strides, len(clouds) * math.prod(size), order)

    of_src = stencil(src)
    return LatticeGroup(size, len(clouds), of_src, of_src if dst is src else stencil(dst))
