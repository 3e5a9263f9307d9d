"""Points and their neighbours, shared by all layers on the same points; each part is made when first needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

from ccnn_geo._base.pyg import EdgeIndex
from ccnn_geo._base.tracing import is_traced
from ccnn_geo.functional.clouds import as_clouds
from ccnn_geo.functional.edge.chunks import edge_offsets
from ccnn_geo.functional.edge.extent import edge_extent
from ccnn_geo.functional.lattice.offsets import LatticeOffsets, detect_spacing
from ccnn_geo.functional.mesh.geometry import MeshGeometry
from ccnn_geo.neighbors import Neighbors, build_neighbors, estimate_reach, estimate_spacing, graph_ops

Pair = tuple[Tensor, Tensor]
T = TypeVar("T")

NEIGHBORS = 32
"""Neighbours that a fresh window covers: the sum of its weights over other points."""


class lazy(Generic[T]):
    """A property that is computed on first access and is an attribute from then on.

    Up to Python 3.11, ``functools.cached_property`` takes a lock, which ``torch.compile`` cannot trace.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self.make, self.__doc__ = make, make.__doc__

    def __get__(self, owner: Any, kind: type | None = None) -> T:
        if owner is None:
            return cast("T", self)
        value = self.make(owner)
        setattr(owner, self.make.__name__, value)
        return value


class PointPlan:
    """Sources, targets, their neighbours, and everything about them that does not depend on a kernel.

    A model makes one plan per forward pass and passes it to all its layers as ``edge_index``. Make one yourself to
    share the neighbour search between models or passes on the same points. A network checks the features of every
    pass for NaN. A single layer checks only the first features it gets with a plan, because later ones may come from
    a network that has diverged.

    Args:
        pos: Positions; for the bipartite form a pair: sources and targets.
        batch: Cloud of each point, or of each source and target, sorted; one cloud by default.
        edge_index: Edges from source to target, as a tensor, a :class:`torch_geometric.EdgeIndex` or a
            :class:`~ccnn_geo.neighbors.Neighbors`.
        num_neighbors: Number of nearest sources per target, if no edges are given; ``None`` for all points of its
            cloud.
        spacing: Step of the lattice, if the points lie on one; detected on a CPU.
        batch_size: Number of clouds, needed if the last ones may be empty.
        flow: Direction of ``edge_index``, as in :class:`torch_geometric.nn.MessagePassing`.
        dtype: Type of the positions that kernels see, float32 by default.

    Attributes:
        sees_all: Whether a target sees every source of its cloud.
        is_bipartite: Whether sources and targets are different points.
        is_checked: Whether a layer has checked the values.

    Shapes:
        - **pos:** :math:`(N, D)`, targets :math:`(M, D)`; **batch:** :math:`(N)`; **edge_index:** :math:`(2, E)`; both
          int64 or int32

    Raises:
        TypeError: If ``batch`` is of another type.

    Example:
        >>> from ccnn_geo import SepFlexConv
        >>> pos = torch.rand(100, 3)
        >>> plan = PointPlan(pos, num_neighbors=16)
        >>> conv = SepFlexConv(8, 8, dim=3)
        >>> conv(torch.randn(100, 8), pos, plan).shape
        torch.Size([100, 8])
    """

    def __init__(
        self,
        pos: Tensor | Pair,
        batch: Tensor | Pair | None = None,
        edge_index: Tensor | Neighbors | None = None,
        num_neighbors: int | None = None,
        spacing: float | Sequence[float] | None = None,
        batch_size: int | None = None,
        flow: str = "source_to_target",
        dtype: torch.dtype | None = None,
    ) -> None:
        source, target = (pos, pos) if isinstance(pos, Tensor) else pos
        self.given_pos = (source, target)
        batch_src, batch_dst = batch if isinstance(batch, (tuple, list)) else (batch, batch)
        self.batch: tuple[Tensor | None, Tensor | None] = (
            None if batch_src is None else as_clouds(batch_src, "batch"),
            None if batch_dst is None else as_clouds(batch_dst, "batch"),
        )
        if isinstance(edge_index, EdgeIndex):  # checked and sorted like any tensor
            edge_index = edge_index.as_tensor()
        if isinstance(edge_index, Tensor) and edge_index.dtype == torch.int32:
            edge_index = edge_index.long()  # messages are gathered and summed by int64 indices
        self.edge_index, self.num_neighbors, self.batch_size = edge_index, num_neighbors, batch_size
        self.spacing, self.flow = spacing, flow
        self.is_bipartite = target is not source
        self.dtype = torch.float32 if dtype is None else dtype
        self.sees_all = edge_index is None and num_neighbors is None
        self.is_checked = False
        self._within: tuple[float, Neighbors, Callable[[], Tensor]] | None = None
        self._meshes: dict[tuple[float, ...], MeshGeometry] = {}

    @property
    def is_traced(self) -> bool:
        """Whether a compiler is tracing: edges then come from operators, and no value is read."""
        return is_traced()

    def __repr__(self) -> str:
        source, target = (len(p) for p in self.given_pos)
        sees = "given edges" if self.edge_index is not None else f"num_neighbors={self.num_neighbors}"
        return f"{type(self).__name__}({source} -> {target} points, {sees})"

    @lazy
    def pos(self) -> Pair:
        """Positions of sources and targets as kernels see them, one tensor if they are the same points."""
        source, target = self.given_pos
        if source.dtype.itemsize > self.dtype.itemsize:  # rounding far from the origin keeps only differences
            origin = source.detach().mean(dim=0)
            source, target = source - origin, target - origin
        source = source.to(self.dtype)
        return source, source if not self.is_bipartite else target.to(self.dtype)

    # Edges ---------------------------------------------------------------------------------------

    @lazy
    def neighbors(self) -> Neighbors:
        """The edges, target by target."""
        if isinstance(self.edge_index, Neighbors):
            return self.edge_index
        if self.edge_index is None:
            return self._search(self.num_neighbors, None)
        edge_index = self.edge_index if self.flow == "source_to_target" else self.edge_index.flip(0)
        sizes = self.pos[0].size(0), self.pos[1].size(0)
        if self.is_traced:
            sorted_edges, ptr = graph_ops.sort_edges(edge_index, *sizes)
            return Neighbors(sorted_edges, ptr, *sizes)
        return Neighbors.from_edge_index(edge_index, *sizes)

    def _search(self, num_neighbors: int | None, radius: float | None) -> Neighbors:
        source, target = self.given_pos
        pos_dst, batch_dst = (target, self.batch[1]) if self.is_bipartite else (None, None)
        if self.is_traced:
            assert num_neighbors is not None, "a traced graph has no search by radius"
            edges, ptr = graph_ops.nearest_edges(
                source.detach(), self.batch[0], num_neighbors, pos_dst, batch_dst
            )
            return Neighbors(edges, ptr, source.size(0), target.size(0))
        return build_neighbors(
            source, self.batch[0], num_neighbors, radius=radius, pos_dst=pos_dst, batch_dst=batch_dst
        )

    def ends(self) -> Pair:
        """Sources and targets of all edges; edges given as a tensor keep their order."""
        if isinstance(self.edge_index, Tensor):
            source, target = (0, 1) if self.flow == "source_to_target" else (1, 0)
            return self.edge_index[source], self.edge_index[target]
        return self.neighbors.edge_index[0], self.neighbors.edge_index[1]

    @lazy
    def offsets(self) -> Tensor:
        """Relative positions of all edges, ``[D, E]``, without gradient."""
        return edge_offsets(*self.pos, self.neighbors)

    def edges_within(self, support: Tensor) -> tuple[Neighbors, Callable[[], Tensor]]:
        """Edges that include all in a kernel's support ``[D]``, and a function that returns their offsets ``[D, E]``.

        If targets see all sources, edges out of reach are never listed.
        """
        if not self.sees_all:
            return self.neighbors, lambda: self.offsets
        reach = support.norm().item() * (1 + 1e-5)
        if reach >= self.extent.norm().item():
            return self.neighbors, lambda: self.offsets
        if self._within is None or self._within[0] < reach:
            found = self._search(None, reach)
            self._within = (reach, found, cache(partial(edge_offsets, *self.pos, found)))
        return self._within[1:]

    @lazy
    def extent(self) -> Tensor:
        """Largest offset that occurs along each axis, ``[D]``."""
        source, target = (p.detach() for p in self.pos)
        if not self.sees_all:
            edges = self.neighbors
            if self.is_traced:
                return graph_ops.extent(source, target, edges.edge_index, edges.ptr)
            return edge_extent(source, target, edges)
        if source.size(0) == 0 or target.size(0) == 0:
            return source.new_zeros(self.dim)
        low, high = self._bounds(source, self.batch[0])
        low_dst, high_dst = self._bounds(target, self.batch[1]) if self.is_bipartite else (low, high)
        n = min(low.size(0), low_dst.size(0))
        reach = torch.maximum(high_dst[:n] - low[:n], high[:n] - low_dst[:n]).amax(dim=0)
        return reach.clamp(min=0)  # clouds without points have no offsets

    @staticmethod
    def _bounds(pos: Tensor, batch: Tensor | None) -> Pair:
        if batch is None:
            return pos.amin(dim=0, keepdim=True), pos.amax(dim=0, keepdim=True)
        index = batch.unsqueeze(1).expand_as(pos)
        size = int(batch[-1]) + 1
        low = pos.new_full((size, pos.size(1)), torch.inf).scatter_reduce_(0, index, pos, "amin")
        high = pos.new_full((size, pos.size(1)), -torch.inf).scatter_reduce_(0, index, pos, "amax")
        return low, high

    @lazy
    def first_scale(self) -> Tensor:
        """Distance to the 32nd neighbour, spacing of an equally dense lattice, ``[2]`` on the host; NaN if unknown."""
        pos, batch = self.given_pos[0].detach(), self.batch[0]
        reach = estimate_reach(pos, batch, NEIGHBORS).double().nanmedian()
        spacing = estimate_spacing(pos, batch).double().nanmedian()
        spacing = torch.where(spacing.isnan(), reach / 2, spacing)  # clouds of five points or fewer
        return torch.stack([reach, spacing]).cpu()

    @lazy
    def num_clouds(self) -> int:
        """Number of clouds."""
        if self.batch_size is not None:
            return self.batch_size
        batches = self.batch if self.is_bipartite else self.batch[:1]
        return 1 + max((int(b[-1]) for b in batches if b is not None and b.numel() > 0), default=0)

    @lazy
    def num_pairs(self) -> int:
        """Number of pairs of a target and a source of the same cloud."""
        batch_src, batch_dst = self.batch
        if batch_src is None or batch_dst is None:
            return self.pos[0].size(0) * self.pos[1].size(0)
        sizes = [torch.bincount(b, minlength=self.num_clouds) for b in (batch_src, batch_dst)]
        return int((sizes[0] * sizes[1]).sum())

    @lazy
    def dim(self) -> int:
        """Number of coordinates D."""
        return self.pos[0].size(1)

    # Lattice and mesh ----------------------------------------------------------------------------

    @lazy
    def lattice_spacing(self) -> tuple[float, ...] | None:
        """Step of the lattice that all points lie on, declared or detected on a CPU; ``None`` if there is none."""
        if self.spacing is not None:
            steps = self.spacing
            return tuple(float(h) for h in ([steps] * self.dim if isinstance(steps, (int, float)) else steps))
        if self.pos[0].device.type != "cpu":  # reading coordinates would wait for the device
            return None
        pos = torch.cat(self.pos) if self.is_bipartite else self.pos[0]
        return detect_spacing(pos)

    @lazy
    def lattice(self) -> LatticeOffsets:
        """The distinct offsets of all edges, on a lattice."""
        assert self.lattice_spacing is not None, "points on a lattice"
        return LatticeOffsets.build(*self.pos, self.neighbors, self.lattice_spacing)

    def mesh(self, spacing: tuple[float, ...], order: int) -> MeshGeometry:
        """All points on lattices for the mesh path."""
        key = (*spacing, float(order))
        if key not in self._meshes:
            target, batch = (self.pos[1], self.batch[1]) if self.is_bipartite else (None, None)
            self._meshes[key] = MeshGeometry.build(
                self.pos[0], target, spacing, order, self.batch[0], batch, self.num_clouds
            )
        return self._meshes[key]
