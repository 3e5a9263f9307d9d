"""Clouds of uneven density: one half gets fewer points than the other."""

import torch
from torch import Generator

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms._points import take_points


class ThinHalf(BaseTransform):
    r"""Thins the half of a cloud that lies furthest along a random direction to one point in ``factor``.

    That half are the points above the median of :math:`u \cdot p`, with :math:`u` uniform on the sphere. About
    :math:`N / 2 + N / 2f` of :math:`N` points remain, chosen at random and in their original order. Density then
    changes by a factor :math:`f` within a cloud, as in scans. Use it for tests of robustness and as augmentation.

    Args:
        factor: Factor by which the half is thinned.
        generator: Source of randomness (default: torch's global one).

    Shapes:
        every tensor with one row per point: ``[N, ...] -> [M, ...]``.

    Raises:
        ValueError: Unless factor >= 1.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = ThinHalf(8.0)(Data(pos=torch.rand(100, 3)))
        >>> 40 < data.pos.size(0) < 70
        True
    """

    def __init__(self, factor: float = 8.0, generator: Generator | None = None) -> None:
        if not factor >= 1:
            raise ValueError(f"expected factor >= 1, got {factor}")
        self.factor = float(factor)
        self.generator = generator

    def forward(self, data: Data) -> Data:
        pos, total = data.pos, data.num_nodes
        direction = torch.randn(
            pos.size(1), generator=self.generator, dtype=pos.dtype, device=pos.device
        )  # its length does not matter
        far = (pos @ direction).argsort(descending=True, stable=True)[: total // 2]
        chosen = torch.randperm(len(far), generator=self.generator, device=pos.device)
        kept = torch.ones(total, dtype=torch.bool, device=pos.device)
        kept[far[chosen[round(len(far) / self.factor) :]]] = False
        return take_points(data, kept.nonzero().flatten())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.factor:g})"
