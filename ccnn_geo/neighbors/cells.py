"""Points in cells of equal numbers, halved along their longest side until few are left: a list with a fixed shape.

A grid of equal cells has no such shape. How many points a cell holds depends on the cloud, the more so on surfaces and
in scans, and the host would have to ask. Here each cell has as many points as any other, and a box around them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ccnn_geo.neighbors.exact import squared_distances

FEWEST = 24
"""Points of a cell, up to twice as many."""


@dataclass(frozen=True)
class Cells:
    """Sources of one cloud, cell by cell.

    Attributes:
        members: Number of each point, ``[C, S]``; the same point stands in two cells where some are left over.
        points: Their coordinates, NaN for the second time, ``[C, S, D]``.
        ids: Their numbers, ``limit - 1`` for the second time, ``[C, S]`` int32.
        low, high: The boxes, ``[C, D]``.
        limit: One more than the number of points, and larger than all ids.
    """

    members: Tensor
    points: Tensor
    ids: Tensor
    low: Tensor
    high: Tensor
    limit: int

    @classmethod
    def build(cls, pos: Tensor) -> Cells:
        """Cells of points ``[N, D]``, N > 0."""
        num = pos.size(0)
        places = _halve(pos)
        members, second = _members(places, num), places >= num
        points = pos[members]
        low, high = points.amin(dim=1), points.amax(dim=1)
        points.masked_fill_(second.unsqueeze(2), torch.nan)
        return cls(members, points, places.clamp(max=num).int(), low, high, num + 1)

    def __len__(self) -> int:
        return self.members.size(0)

    @property
    def size(self) -> int:
        """Points of a cell."""
        return self.members.size(1)

    def gaps(self, dst: Tensor) -> Tensor:
        """Squared distance from the box of each group of targets to each cell: no pair of points is nearer.

        That holds for the distances as they are rounded, too: all steps are those of ``squared_distances``, and
        rounding never turns an order round.

        Shapes:
            - ``dst``: ``[G, T, D]``; result: ``[G, C]``
        """
        low, high = dst.amin(dim=1).unsqueeze(1), dst.amax(dim=1).unsqueeze(1)
        total = dst.new_zeros(dst.size(0), len(self))
        for axis in range(dst.size(2)):
            left, right = low[..., axis] - self.high[:, axis], self.low[:, axis] - high[..., axis]
            total.add_(torch.maximum(left, right, out=left).clamp_(min=0).square_())
        return total

    def look(self, dst: Tensor, num: int) -> tuple[Tensor, Tensor, Tensor]:
        """Distances to all points of the ``num`` nearest cells of each group of targets.

        Returns:
            Squared distances, the points' ids, and a distance below which no other point is.

        Shapes:
            - ``dst``: ``[G, T, D]``; results: ``[G, T, num * S]``, ``[G, 1, num * S]``, ``[G, 1]``
        """
        groups, dim = dst.size(0), dst.size(2)
        if num >= len(self):
            points, ids = self.points.view(1, 1, -1, dim), self.ids.view(1, 1, -1)
            horizon = dst.new_full((1, 1), torch.inf).expand(groups, 1)
            return squared_distances(dst.unsqueeze(2), points), ids.expand(groups, 1, -1), horizon
        near = self.gaps(dst).topk(num + 1, largest=False, sorted=True)
        chosen = near.indices[:, :num]
        points, ids = self.points[chosen].view(groups, 1, -1, dim), self.ids[chosen].view(groups, 1, -1)
        return squared_distances(dst.unsqueeze(2), points), ids, near.values[:, num:]


def _halve(pos: Tensor) -> Tensor:
    """Places of all points, and of some a second time (``N`` and above), cell by cell."""
    num = pos.size(0)
    halvings = max(num // FEWEST, 1).bit_length() - 1
    size = -(-num // (1 << halvings))
    places = torch.arange(size << halvings, device=pos.device).unsqueeze(0)
    for _ in range(halvings):
        points = pos[_members(places, num)]
        longest = (points.amax(dim=1) - points.amin(dim=1)).argmax(dim=1)
        along = points.gather(2, longest.view(-1, 1, 1).expand(-1, points.size(1), 1)).squeeze(2)
        places = places.gather(1, along.argsort(dim=1)).view(2 * places.size(0), -1)
    return places.view(-1, size)


def _members(places: Tensor, num: int) -> Tensor:
    """The point at each place; those left over are points from everywhere, so that no cell has many of them."""
    again = (places - num) * num // max(places.numel() - num, 1)
    return torch.where(places < num, places, again)
