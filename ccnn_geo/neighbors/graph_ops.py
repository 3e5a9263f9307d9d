"""Operators on values of a graph, which ``torch.compile`` keeps whole instead of tracing inside."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ccnn_geo.functional.edge.extent import edge_extent
from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.neighbors.build import build_neighbors

WAITING: dict[str, Any] = (
    {"tags": (torch.Tag.cudagraph_unsafe,)} if hasattr(torch.Tag, "cudagraph_unsafe") else {}
)
"""Marks operators that wait for their device, so that newer torch keeps them out of CUDA graphs."""


@torch.library.custom_op("ccnn_geo::sort_edges", mutates_args=(), **WAITING)
def sort_edges(edge_index: Tensor, num_src: int, num_dst: int) -> tuple[Tensor, Tensor]:
    """``edge_index [2, E]`` and ``ptr [M + 1]`` of :meth:`~ccnn_geo.neighbors.Neighbors.from_edge_index`."""
    found = Neighbors.from_edge_index(edge_index, num_src, num_dst)
    return found.edge_index.clone(), found.ptr  # an operator must not return its input's memory


@sort_edges.register_fake
def _(edge_index: Tensor, num_src: int, num_dst: int) -> tuple[Tensor, Tensor]:
    return (
        torch.empty_like(edge_index, dtype=torch.int64, memory_format=torch.contiguous_format),
        edge_index.new_empty(num_dst + 1, dtype=torch.int64),
    )


@torch.library.custom_op("ccnn_geo::nearest_edges", mutates_args=(), **WAITING)
def nearest_edges(
    pos: Tensor, batch: Tensor | None, num_neighbors: int, pos_dst: Tensor | None, batch_dst: Tensor | None
) -> tuple[Tensor, Tensor]:
    """``edge_index [2, E]`` and ``ptr [M + 1]`` of :func:`~ccnn_geo.neighbors.build_neighbors`."""
    found = build_neighbors(pos, batch, num_neighbors, pos_dst=pos_dst, batch_dst=batch_dst)
    return found.edge_index, found.ptr


@nearest_edges.register_fake
def _(
    pos: Tensor, batch: Tensor | None, num_neighbors: int, pos_dst: Tensor | None, batch_dst: Tensor | None
) -> tuple[Tensor, Tensor]:
    targets = pos.size(0) if pos_dst is None else pos_dst.size(0)
    edges = torch.library.get_ctx().new_dynamic_size()
    index = pos.new_empty(2, edges, dtype=torch.int64)
    return index, pos.new_empty(targets + 1, dtype=torch.int64)


@torch.library.custom_op("ccnn_geo::edge_extent", mutates_args=(), **WAITING)
def extent(pos_src: Tensor, pos_dst: Tensor, edge_index: Tensor, ptr: Tensor) -> Tensor:
    """Result ``[D]`` of :func:`~ccnn_geo.functional.edge.extent.edge_extent`."""
    return edge_extent(pos_src, pos_dst, Neighbors(edge_index, ptr, pos_src.size(0), pos_dst.size(0)))


@extent.register_fake
def _(pos_src: Tensor, pos_dst: Tensor, edge_index: Tensor, ptr: Tensor) -> Tensor:
    return pos_src.new_empty(pos_src.size(1))
