"""Neighbours in one large cloud on a device: near cells only, and more of them until nothing nearer can be missed.

Targets come in groups, cells of their own. A group looks at its nearest cells. A target is done when the last of its
neighbours is nearer than any cell left out. The others go on, one by one, each with its own nearest cells: first as
many, then twice as many every time, in the end all. The host hears how many targets go on, which is a wait each time.
One more wait tells how many cells to begin with: some groups find that out for the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ccnn_geo.neighbors.cells import Cells
from ccnn_geo.neighbors.edges import EdgeTable
from ccnn_geo.neighbors.query import Query
from ccnn_geo.neighbors.topk import smallest_of

PAIRS = 1 << 24
"""Pairs of points whose distances are in memory at once, 8 bytes each: the largest of all tensors but the edges."""
SAMPLED = 64
"""Groups that find out how many cells the others begin with."""
GOLDEN = (math.sqrt(5) - 1) / 2

Visit = Callable[[Tensor, int], Tensor]


class CellSearch:
    """The sources of a large cloud in cells, and its targets in groups.

    Args:
        query: The question.
        cloud: First and last + 1 source, first and last + 1 target.
    """

    def __init__(self, query: Query, cloud: tuple[int, int, int, int]) -> None:
        self.first_src, last_src, self.first_dst, last_dst = cloud
        self.last_dst = last_dst
        self.loop, self.k = query.loop, query.k
        self.limit = None if query.radius is None else query.radius * query.radius
        src, self.dst = query.src[self.first_src : last_src], query.dst[self.first_dst : last_dst]
        self.cells = Cells.build(src)
        self.groups = self.cells.members if query.src is query.dst else Cells.build(self.dst).members
        self.available = src.size(0) - (not query.loop)
        self.begin = self._cells_needed()

    @property
    def pays(self) -> bool:
        """Whether most targets need far fewer cells than there are."""
        return 4 * self.begin <= len(self.cells)

    def count(self, out: Tensor) -> Tensor:
        """Writes how many sources are within the radius, at most k, to ``[M + 1]`` by target; the most of any."""
        limit = self.limit
        assert limit is not None, "without a radius all have k"

        def visit(targets: Tensor, num: int) -> Tensor:
            d2, _, horizon = self._look(targets, num)
            inside = (d2 <= limit).sum(dim=-1)
            open_ = (horizon <= limit).expand_as(inside)
            if self.k is not None:
                inside.clamp_(max=self.k)
                open_ = open_ & (inside < self.k)
            out[self.first_dst + targets] = inside
            return open_

        self._rounds(visit)
        return out[self.first_dst : self.last_dst].amax()

    def fill(self, table: EdgeTable, width: int) -> None:
        """Writes the sources of all targets, of which none has more than ``width``."""
        if width == 0:
            return

        def visit(targets: Tensor, num: int) -> Tensor:
            d2, ids, horizon = self._look(targets, num)
            wanted = min(width, d2.size(-1))
            found, reach = smallest_of(d2, ids, wanted, self.cells.limit)
            sources = ids.expand(*targets.shape, -1).gather(-1, found).flatten(0, 1)
            table.put(self.first_dst + targets.flatten(), self.first_src + sources.long())
            reach = reach.squeeze(-1)
            if wanted < width:
                reach.fill_(math.inf)
            if self.limit is not None:
                reach.clamp_(max=self.limit)
            return reach >= horizon

        self._rounds(visit)

    def _rounds(self, visit: Visit) -> None:
        """Calls ``visit`` with targets ``[G, T]`` and a number of cells, which says for whom these are too few."""
        groups, num, all_cells = self.groups, self.begin, len(self.cells)
        while groups.numel() > 0:
            rows = max(1, PAIRS // max(groups.size(1) * num * self.cells.size, all_cells))
            left = torch.cat([visit(some, num) for some in groups.split(rows)])
            if num == all_cells:
                return
            if groups.size(1) == 1:  # else with as many: those nearest to a target alone are nearer
                num = 2 * num if 8 * num <= all_cells else all_cells
            groups = groups[left].unsqueeze(1)

    def _look(self, targets: Tensor, num: int) -> tuple[Tensor, Tensor, Tensor]:
        d2, ids, horizon = self.cells.look(self.dst[targets], num)
        if not self.loop:
            d2.masked_fill_(ids == targets.unsqueeze(2), torch.nan)
        return d2, ids, horizon

    def _cells_needed(self) -> int:
        """How many cells 9 of 10 targets need in their groups, as far as some groups know."""
        all_cells, size = len(self.cells), self.cells.size
        groups, of_group = self.groups.shape
        k = 0 if self.k is None else min(self.k, self.available)
        num = min(all_cells, 2 * _cells_in_space(k, of_group, size, min(self.dst.size(1), 3)))
        sampled = min(SAMPLED, max(1, PAIRS // (of_group * num * size)))
        # Everywhere, and not at the same corner of every cell of a coarser halving.
        steps = torch.arange(sampled, device=self.groups.device, dtype=torch.float64) * GOLDEN
        some = self.groups[(steps * groups % groups).long()]
        reach = self.dst.new_full(some.shape, math.inf)
        if self.k is not None:
            d2, ids, _ = self._look(some, num)
            reach = smallest_of(d2, ids, min(k, d2.size(-1)), self.cells.limit)[1].squeeze(-1)
        if self.limit is not None:
            reach.clamp_(max=self.limit)
        nearest = self.cells.gaps(self.dst[some]).sort(dim=1).values
        needed = torch.searchsorted(nearest, reach, right=True).flatten().sort().values
        return max(1, int(needed[9 * (needed.numel() - 1) // 10]))


def _cells_in_space(k: int, targets: int, size: int, dim: int) -> int:
    """Cells that come nearer to a group's box than the k-th neighbour, for points spread evenly in space."""
    ball = {1: 2.0, 2: math.pi, 3: 4 / 3 * math.pi}[dim]
    side = targets ** (1 / dim) + 2 * (k / ball) ** (1 / dim)
    return math.ceil((side / size ** (1 / dim) + 1) ** dim)
