"""Fewer points, new ones on every call."""

import torch
from torch import Generator

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms._points import at_least_one, take_points


class RandomSubset(BaseTransform):
    """Keeps ``num`` points, chosen at random without replacement on every call.

    A smaller cloud keeps all points, in random order; with ``fill=True`` further points are drawn with
    replacement until there are ``num``.

    Args:
        num: points to keep.
        fill: whether to repeat points of clouds that are too small.
        generator: source of randomness (default: torch's global one).

    Shapes:
        every tensor with one row per point: ``[N, ...] -> [min(num, N), ...]``, with ``fill [num, ...]``.

    Raises:
        ValueError: if num < 1, or ``fill`` is set and a cloud has no points.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = RandomSubset(20)(Data(pos=torch.rand(100, 3)))
        >>> data.pos.shape
        torch.Size([20, 3])
    """

    def __init__(self, num: int, fill: bool = False, generator: Generator | None = None) -> None:
        self.num = at_least_one(num)
        self.fill = fill
        self.generator = generator

    def forward(self, data: Data) -> Data:
        total, device = data.num_nodes, data.pos.device
        index = torch.randperm(total, generator=self.generator, device=device)[: self.num]
        if self.fill and total < self.num:
            if total == 0:
                raise ValueError(f"cannot fill a cloud of 0 points up to {self.num}")
            more = torch.randint(total, (self.num - total,), generator=self.generator, device=device)
            index = torch.cat([index, more])
        return take_points(data, index)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num}{', fill=True' if self.fill else ''})"
