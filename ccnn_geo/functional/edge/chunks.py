"""The edges that a convolution works on at a time: inside the support, in chunks of targets of similar degree."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.kernels.continuous import ContinuousKernel

SPLIT = 1 << 22
"""Edges whose positions are gathered at a time."""


@dataclass(frozen=True)
class Chunk:
    """Targets ``rows [T]`` with ``width`` edges each.

    ``src [T * width]`` are the sources and ``rel [D, T * width]`` the offsets. A target of fewer edges is filled up
    with source ``num_src``, one past the last.
    """

    rows: Tensor
    src: Tensor
    rel: Tensor
    width: int


@torch.no_grad()
def edge_offsets(pos_src: Tensor, pos_dst: Tensor, neighbors: Neighbors) -> Tensor:
    """Relative positions, target minus source, of all edges: ``[D, E]``."""
    source, target = neighbors.edge_index
    out = pos_src.new_empty(pos_src.size(1), source.numel())
    src, dst = pos_src.detach().mT.contiguous(), pos_dst.detach().mT.contiguous()
    for part, s, t in zip(out.split(SPLIT, 1), source.split(SPLIT), target.split(SPLIT), strict=True):
        torch.sub(dst.index_select(1, t), src.index_select(1, s), out=part)
    return out


@torch.no_grad()
def plan_chunks(
    rel: Tensor, neighbors: Neighbors, kernel: ContinuousKernel, chunk_edges: int
) -> tuple[list[Chunk], bool]:
    """Drops edges outside the support and packs targets of similar degree; also says whether any was filled up.

    Shapes:
        - **rel:** :math:`(D, E)`, from :func:`edge_offsets`
    """
    keep = kernel.inside(rel.mT)
    source, ptr = neighbors.edge_index[0], neighbors.ptr
    all_kept = bool(keep.all()) if rel.device.type == "cpu" else False
    if not all_kept:
        ptr = torch.cat([ptr.new_zeros(1), keep.cumsum(0)])[ptr]
        kept = keep.nonzero().squeeze(1)
        source, rel = source.index_select(0, kept), rel.index_select(1, kept)
    degree, order = ptr.diff().sort(descending=True, stable=True)

    degrees = degree.tolist()  # waits for the device, as nonzero above did: twice per layer and pass
    chunks, start, padded = [], 0, False
    while start < len(degrees) and degrees[start] > 0:
        widest = degrees[start]
        stop = min(start + max(1, chunk_edges // widest), len(degrees))
        rows = order[start:stop]
        if all_kept and degrees[0] == degrees[-1]:  # edges in their own order: views, no copies
            edges = slice(start * widest, stop * widest)
            chunks.append(Chunk(rows, source[edges], rel[:, edges], widest))
        else:
            slots = torch.arange(widest, device=rel.device)
            index = (ptr[rows].unsqueeze(1) + slots).flatten()
            if degrees[stop - 1] < widest:
                padded = True
                empty = (slots >= degree[start:stop].unsqueeze(1)).flatten()
                index = index.masked_fill_(empty, 0)
                src = source.index_select(0, index).masked_fill_(empty, neighbors.num_src)
            else:
                src = source.index_select(0, index)
            chunks.append(Chunk(rows, src, rel.index_select(1, index), widest))
        start = stop
    return chunks, padded
