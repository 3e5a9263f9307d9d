"""Augmentation: clouds with fewer points."""

import torch
from torch import Generator

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms._points import take_points, uniform


class RandomPointDropout(BaseTransform):
    r"""Drops every point with a probability drawn for each cloud.

    The probability is uniform on [0, ratio] (Qi et al., 2017, *PointNet++*: 0.875), so that a network sees clouds of
    every density. Dropped points are removed, so clouds differ in size. With ``fill=True`` they become copies of the
    first remaining point, as in PointNet++, and sizes do not change. At least one point always remains.

    Args:
        ratio: Largest probability.
        fill: Keep the number of points.
        generator: Source of randomness (default: torch's global one).

    Shapes:
        every tensor with one row per point: ``[N, ...] -> [M, ...]``, 1 <= M <= N; with ``fill [N, ...]``.

    Raises:
        ValueError: Unless 0 <= ratio <= 1.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = RandomPointDropout()(Data(pos=torch.rand(100, 3)))
        >>> data.pos.size(0) <= 100
        True
    """

    def __init__(self, ratio: float = 0.875, fill: bool = False, generator: Generator | None = None) -> None:
        if not 0 <= ratio <= 1:
            raise ValueError(f"expected 0 <= ratio <= 1, got {ratio}")
        self.ratio = float(ratio)
        self.fill = fill
        self.generator = generator

    def forward(self, data: Data) -> Data:
        total, device = data.num_nodes, data.pos.device
        ratio = uniform(0.0, self.ratio, data.pos, 1, self.generator)
        kept = uniform(0.0, 1.0, data.pos, total, self.generator) >= ratio
        if total and not kept.any():
            kept[torch.randint(total, (1,), generator=self.generator, device=device)] = True
        index = kept.nonzero().flatten()
        if self.fill and total:
            index = torch.where(kept, torch.arange(total, device=device), index[0])
        return take_points(data, index)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.ratio:g}{', fill=True' if self.fill else ''})"
