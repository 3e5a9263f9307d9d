"""Neighbours from all pairwise distances, a chunk at a time: the definition, and fastest for small clouds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ccnn_geo.neighbors.query import Query
from ccnn_geo.neighbors.select import smallest

# Pairs of points whose distances a chunk holds, at about 40 bytes each. On the host: arrays that stay in a core's
# cache, and one thread per chunk: threads that meet after every operation wait for each other on a busy machine.
# Elsewhere: few kernel launches.
_CHUNK_PAIRS_CPU = 1 << 16
_CHUNK_PAIRS_ACCELERATOR = 1 << 22


def squared_distances(dst: Tensor, src: Tensor) -> Tensor:
    """Sum over axes of squared differences, axis by axis, so that every backend rounds alike.

    Shapes: ``[..., D]`` and ``[..., D]``, broadcast against each other, to ``[...]``.
    """
    total = (dst[..., 0] - src[..., 0]).square_()
    for axis in range(1, dst.size(-1)):
        total.add_((dst[..., axis] - src[..., axis]).square_())
    return total


def search_exact(query: Query, chunk_pairs: int | None = None) -> tuple[Tensor, Tensor]:
    """Sources of every target, target by target, and their number per target."""
    device = query.src.device
    chunks = list(_chunks(query, chunk_pairs or _budget(query.src)))
    threads = min(torch.get_num_threads(), len(chunks)) if device.type == "cpu" else 1
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            answers = list(pool.map(partial(_search_chunk, query), chunks))
    else:
        answers = [_search_chunk(query, chunk) for chunk in chunks]
    none = torch.empty(0, dtype=torch.int64, device=device)
    return torch.cat([none, *(a for a, _ in answers)]), torch.cat([none, *(c for _, c in answers)])


@dataclass(frozen=True)
class _Chunk:
    """Equal-sized clouds from the given first points on, and the targets of each to answer."""

    num_clouds: int
    first_src: int
    num_src: int
    first_dst: int
    num_dst: int
    start: int
    stop: int


def _chunks(query: Query, budget: int) -> Iterator[_Chunk]:
    for group in _groups(query, budget):
        first_src, last_src, first_dst, last_dst = group[0]
        num_src, num_dst = last_src - first_src, last_dst - first_dst
        rows = num_dst if len(group) > 1 else max(1, budget // max(num_src, 1))
        for start in range(0, num_dst, max(rows, 1)):
            stop = min(start + rows, num_dst)
            yield _Chunk(len(group), first_src, num_src, first_dst, num_dst, start, stop)


def _budget(pos: Tensor) -> int:
    return _CHUNK_PAIRS_CPU if pos.device.type == "cpu" else _CHUNK_PAIRS_ACCELERATOR


def _groups(query: Query, budget: int) -> Iterator[list[tuple[int, int, int, int]]]:
    """Runs of consecutive clouds of equal size that fit into one chunk together."""
    group: list[tuple[int, int, int, int]] = []
    for cloud in query.clouds:
        size = (cloud[1] - cloud[0], cloud[3] - cloud[2])
        if group:
            same = size == (group[0][1] - group[0][0], group[0][3] - group[0][2])
            if not same or (len(group) + 1) * size[0] * size[1] > budget:
                yield group
                group = []
        group.append(cloud)
    if group:
        yield group


def _search_chunk(query: Query, chunk: _Chunk) -> tuple[Tensor, Tensor]:
    """Sources of the chunk's targets, target by target, and their number per target."""
    c, shape = chunk, (chunk.num_clouds, -1, query.src.size(1))
    if c.num_src == 0:
        none = torch.zeros(c.num_clouds * (c.stop - c.start), dtype=torch.int64, device=query.src.device)
        return none[:0], none
    src = query.src[c.first_src : c.first_src + c.num_clouds * c.num_src].view(shape)
    dst = query.dst[c.first_dst : c.first_dst + c.num_clouds * c.num_dst].view(shape)[:, c.start : c.stop]
    d2 = squared_distances(dst[:, :, None], src[:, None])
    if not query.loop:
        d2.diagonal(offset=c.start, dim1=1, dim2=2).fill_(torch.nan)
    columns, count = _order(query, d2)
    columns += torch.arange(c.num_clouds, device=src.device).view(-1, 1, 1) * c.num_src + c.first_src
    return take_first(columns.flatten(0, 1), count.flatten()), count.flatten()


def _order(query: Query, d2: Tensor) -> tuple[Tensor, Tensor]:
    """Columns of the neighbours by distance; without loops the point itself is NaN, hence behind everything."""
    available = d2.size(-1) - (not query.loop)
    k = available if query.k is None else min(query.k, available)
    if query.radius is None:
        return smallest(d2, k), torch.full(d2.shape[:-1], k, dtype=torch.int64, device=d2.device)
    count = (d2 <= query.radius * query.radius).sum(dim=-1).clamp_(max=k)
    return smallest(d2, int(count.max()) if count.numel() else 0), count


def search_rows(
    query: Query, src: Tensor, dst: Tensor, rows: Tensor, width: int, chunk_pairs: int | None = None
) -> tuple[Tensor, Tensor]:
    """The same for any targets ``rows`` of one cloud: columns of ``src``, ``[R, width]``, and how many count."""
    step = max(1, (chunk_pairs or _budget(src)) // src.size(0))
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


def take_first(columns: Tensor, count: Tensor) -> Tensor:
    """The first ``count`` entries of each row, row after row."""
    width = columns.size(1)
    if bool((count == width).all()):
        return columns.reshape(-1)
    return columns[torch.arange(width, device=columns.device) < count[:, None]]
