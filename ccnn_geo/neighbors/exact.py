"""Neighbours from all pairwise distances, a chunk at a time: the definition, and fastest for small clouds."""

import torch
from torch import Tensor

from ccnn_geo.neighbors.chunks import Chunk, make_chunks
from ccnn_geo.neighbors.edges import join_chunks
from ccnn_geo.neighbors.native import search_native
from ccnn_geo.neighbors.query import Query
from ccnn_geo.neighbors.select import smallest

CHUNK_PAIRS = {"cpu": 1 << 16}
"""Pairs of points per chunk, at about 40 bytes each: the size of a core's cache. Other devices use
:data:`MOST_PAIRS`, for few kernel launches."""
MOST_PAIRS = 1 << 22


def squared_distances(dst: Tensor, src: Tensor) -> Tensor:
    """Sum over axes of squared differences, axis by axis, so that all backends round in the same way.

    Shapes: ``[..., D]`` and ``[..., D]``, broadcast against each other, to ``[...]``.
    """
    total = (dst[..., 0] - src[..., 0]).square_()
    for axis in range(1, dst.size(-1)):
        total.add_((dst[..., axis] - src[..., axis]).square_())
    return total


def search_exact(query: Query) -> tuple[Tensor, Tensor]:
    """Edges of every target, target by target, and their number per target; on the CPU."""
    return search_native(query) or search_torch(query)


def search_torch(query: Query) -> tuple[Tensor, Tensor]:
    """As :func:`search_exact`, in torch and on any device."""
    found = [_search_chunk(query, chunk) for chunk in make_chunks(query, _pairs(query.src))]
    return join_chunks([s for s, _ in found], [c for _, c in found], query.src.device)


def _search_chunk(query: Query, chunk: Chunk) -> tuple[Tensor, Tensor]:
    """Sources of the chunk's targets, target by target, and their number per target."""
    c, dim = chunk, query.src.size(1)
    if c.num_src == 0:
        none = torch.zeros(c.num_targets, dtype=torch.int64, device=query.src.device)
        return none[:0], none
    src = query.src[c.sources].view(c.num_clouds, 1, c.num_src, dim)
    dst = query.dst[c.targets].view(c.num_clouds, c.stop - c.start, 1, dim)
    d2 = squared_distances(dst, src)
    if not query.loop:
        d2.diagonal(offset=c.start, dim1=1, dim2=2).fill_(torch.nan)
    columns, count = _order(query, d2)
    first = torch.arange(c.num_clouds, device=src.device) * c.num_src + c.first_src
    columns = columns + first.view(-1, 1, 1)
    return take_first(columns.flatten(0, 1), count.flatten()), count.flatten()


def _order(query: Query, d2: Tensor) -> tuple[Tensor, Tensor]:
    """Columns of the neighbours by distance; without loops the point itself is NaN, so it comes last."""
    available = d2.size(-1) - (not query.loop)
    k = available if query.k is None else min(query.k, available)
    if query.radius is None:
        return smallest(d2, k), torch.full(d2.shape[:-1], k, dtype=torch.int64, device=d2.device)
    count = (d2 <= query.radius * query.radius).sum(dim=-1).clamp_(max=k)
    return smallest(d2, int(count.max()) if count.numel() else 0), count


def search_rows(query: Query, src: Tensor, dst: Tensor, rows: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Searches for any targets ``rows`` of one cloud: columns of ``src``, ``[R, width]``, and how many are valid."""
    step = max(1, _pairs(src) // src.size(0))
    columns = torch.zeros(rows.numel(), width, dtype=torch.int64, device=src.device)
    count = torch.zeros(rows.numel(), dtype=torch.int64, device=src.device)
    for start in range(0, rows.numel(), step):
        some = slice(start, start + step)
        d2 = squared_distances(dst[rows[some]][:, None], src)
        if not query.loop:
            d2.scatter_(1, rows[some, None], torch.nan)
        found, count[some] = _order(query, d2)
        columns[some, : found.size(1)] = found[:, :width]
    return columns, count


def _pairs(points: Tensor) -> int:
    return CHUNK_PAIRS.get(points.device.type, MOST_PAIRS)


def take_first(columns: Tensor, count: Tensor) -> Tensor:
    """The first ``count`` entries of each row, row after row."""
    width = columns.size(1)
    if bool((count == width).all()):
        return columns.reshape(-1)
    return columns[torch.arange(width, device=columns.device) < count[:, None]]
