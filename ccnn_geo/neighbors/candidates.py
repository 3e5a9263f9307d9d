"""Exact neighbours from a spatial index: the index proposes candidates, the definition decides.

A k-d tree rounds in its own way and breaks ties arbitrarily. So we request one extra candidate and order the
candidates by the definition. A row is done when its last neighbour is clearly nearer than its farthest candidate,
because then no other point can belong to it. Other rows end in a tie; they request twice as many candidates, and
finally all distances.
"""

import importlib
import importlib.util
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.neighbors.edges import join_chunks
from ccnn_geo.neighbors.exact import search_rows, squared_distances, take_first
from ccnn_geo.neighbors.query import Query
from ccnn_geo.neighbors.select import smallest

# far above the rounding errors of an index (about 1e-15), far below the usual gap between neighbours
_CLEARLY = 1 + 1e-9
# outside this range squares overflow or vanish, and relative gaps mean nothing
_LARGEST, _SMALLEST = 1e150, 1e-140
# candidates in memory at once
_CHUNK_CANDIDATES = 1 << 20
# the CUDA kernels of torch-cluster and pyg-lib keep candidates in a fixed array
CUDA_LIMIT = 100

KNN_PACKAGES = {"cluster": ("torch-cluster", "torch_cluster"), "pyg_lib": ("pyg-lib >= 0.6", "pyg_lib.ops")}
"""Package and module of each backend of this kind."""

Propose = Callable[[Tensor, int], Tensor]
Knn = Callable[[Tensor, Tensor, int], Tensor]


class ScipyIndex:
    """``scipy.spatial.cKDTree`` over the sources of one cloud."""

    def __init__(self, src: Tensor) -> None:
        from scipy.spatial import cKDTree

        self.tree = cKDTree(src.numpy())
        self.workers = torch.get_num_threads()

    def propose(self, dst: Tensor, num: int) -> Tensor:
        """The ``num`` nearest sources of each target, in any order; ``n`` where there is none."""
        index = self.tree.query(dst.numpy(), k=num, workers=self.workers)[1]
        return torch.from_numpy(index.reshape(dst.size(0), num).astype(np.int64, copy=False))

    def count_within(self, dst: Tensor, radius: float) -> int:
        """Largest number of sources within ``radius`` of a target."""
        found = self.tree.query_ball_point(dst.numpy(), radius, workers=self.workers, return_length=True)
        return int(np.max(found, initial=0))


class KnnIndex:
    """``torch_cluster.knn`` or ``pyg_lib.ops.knn`` over the sources of one cloud: pairs of target and source."""

    def __init__(self, src: Tensor, knn: Knn) -> None:
        self.src, self.knn = src, knn

    def propose(self, dst: Tensor, num: int) -> Tensor:
        """The ``num`` nearest sources of each target, in any order; ``n`` where there is none."""
        row, column = self.knn(self.src, dst, num)
        # targets may get fewer than requested (the CUDA kernels ignore points farther than 1e5)
        rank = torch.arange(row.numel(), device=row.device) - torch.searchsorted(row, row)
        table = torch.full((dst.size(0), num), self.src.size(0), dtype=torch.int64, device=row.device)
        table[row, rank] = column
        return table


def search_candidates(
    query: Query, index_of: Callable[[Tensor], ScipyIndex | KnnIndex]
) -> tuple[Tensor, Tensor]:
    """Edges of every target, target by target, and their number per target."""
    device = query.src.device
    sources, counts = [], []
    for first_src, last_src, first_dst, last_dst in query.clouds:
        src, dst = query.src[first_src:last_src], query.dst[first_dst:last_dst]
        num_src = src.size(0)
        if dst.size(0) == 0:
            continue
        if num_src == 0:
            counts.append(torch.zeros(dst.size(0), dtype=torch.int64, device=device))
            continue
        index = index_of(src)
        width = num_src if query.k is None else min(query.k, num_src)
        rows = max(1, _CHUNK_CANDIDATES // (width if query.k is not None else 64))
        for start in range(0, dst.size(0), rows):
            some = torch.arange(start, min(start + rows, dst.size(0)), device=device)
            if query.radius is not None and query.k is None:
                assert isinstance(index, ScipyIndex), "other indices need a k"
                width = min(num_src, index.count_within(dst[some], query.radius * _CLEARLY))
            columns, count = _search_rows(query, src, dst, some, index.propose, width)
            sources.append(take_first(columns, count) + first_src)
            counts.append(count)
    return join_chunks(sources, counts, device)


def _search_rows(
    query: Query, src: Tensor, dst: Tensor, rows: Tensor, propose: Propose, width: int
) -> tuple[Tensor, Tensor]:
    """Columns of ``src`` near the targets ``rows``, ``[R, width]``, and how many of each row are valid."""
    num_src = src.size(0)
    columns = torch.zeros(rows.numel(), width, dtype=torch.int64, device=src.device)
    count = torch.zeros(rows.numel(), dtype=torch.int64, device=src.device)
    left = torch.arange(rows.numel(), device=src.device)
    ask = min(num_src, width + 1 + (not query.loop))
    limit = CUDA_LIMIT if src.device.type == "cuda" else num_src
    if query.k is None and ask > num_src // 16:
        # a radius that covers much of the cloud: all distances cost less
        limit = 0
    while left.numel() and ask <= limit:
        answer, number, safe = _decide(query, src, dst, rows[left], propose(dst[rows[left]], ask), width)
        done = left[safe]
        columns[done, : answer.size(1)], count[done] = answer[safe], number[safe]
        left = left[~safe]
        # the same if ties keep a row open
        limit = min(limit, num_src // 4)
        ask *= 2
    if left.numel():
        columns[left], count[left] = search_rows(query, src, dst, rows[left], width)
    return columns, count


def _decide(
    query: Query, src: Tensor, dst: Tensor, rows: Tensor, candidates: Tensor, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Order candidates by the definition; mark the rows that no other point can change."""
    num_src = src.size(0)
    # in index order, so that ties by column are ties by index
    candidates = candidates.sort(dim=1).values
    safe = candidates[:, -1] < num_src
    candidates = candidates.clamp(max=num_src - 1)
    d2 = squared_distances(dst[rows][:, None], src[candidates])
    horizon = d2.amax(dim=1)
    available = candidates.size(1)
    if not query.loop:
        # behind all others, and never counted
        d2.masked_fill_(candidates == rows[:, None], torch.nan)
        available -= 1
    d2.masked_fill_(~safe[:, None], 0.0)
    k = min(width, available)
    order = smallest(d2, k)
    count = torch.full_like(rows, k)
    reach = d2.gather(1, order[:, -1:]).squeeze(1) if k else torch.zeros_like(horizon)
    if query.radius is not None:
        r2 = query.radius * query.radius
        count = (d2 <= r2).sum(dim=1).clamp_(max=k)
        reach = reach.clamp(max=r2)
    if candidates.size(1) < num_src:
        safe &= horizon > reach * _CLEARLY + _SMALLEST**2
    return candidates.gather(1, order), count, safe


def in_range(query: Query) -> bool:
    """Whether squared distances neither overflow nor vanish, so that an index can be trusted."""
    if query.radius is not None and not _SMALLEST < query.radius < _LARGEST:
        return False
    return all(p.numel() == 0 or float(p.abs().amax()) < _LARGEST for p in (query.src, query.dst))


def has_scipy() -> bool:
    """Whether scipy can be imported."""
    return importlib.util.find_spec("scipy") is not None


def knn_of(backend: str) -> Knn:
    """The search function of torch-cluster or pyg-lib, which take the same arguments.

    Raises:
        ImportError: If it is missing; pyg-lib has it since 0.6.
    """
    package, module = KNN_PACKAGES[backend]
    try:
        return importlib.import_module(module).knn
    except (ImportError, AttributeError) as error:
        raise ImportError(
            f"backend={backend!r} needs {package} (pip install 'ccnn_geo[accel]'); backend='torch' needs nothing"
        ) from error
