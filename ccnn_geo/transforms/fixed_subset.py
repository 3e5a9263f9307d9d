"""Fewer points, the same ones on every call."""

import torch

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms._points import at_least_one, take_points


class FixedSubset(BaseTransform):
    """Keeps the first ``num`` points (all if there are fewer): the same ones on every call.

    If points are stored in random order, as by :class:`~ccnn_geo.transforms.SampleSurface`, they are a uniform sample.

    Args:
        num: points to keep.

    Shapes:
        every tensor with one row per point, ``[N, ...] -> [min(num, N), ...]``.

    Raises:
        ValueError: if num < 1.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = FixedSubset(20)(Data(pos=torch.rand(100, 3)))
        >>> data.pos.shape
        torch.Size([20, 3])
    """

    def __init__(self, num: int) -> None:
        self.num = at_least_one(num)

    def forward(self, data: Data) -> Data:
        return take_points(data, torch.arange(min(self.num, data.num_nodes), device=data.pos.device))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num})"
