"""Clouds of uneven density: one half has fewer points than the other."""

import torch
from torch import Generator

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms._points import take_points


class ThinHalf(BaseTransform):
    r"""Keeps one point in ``factor`` of the half of the points that lies furthest along a random direction.

    Half of the points are those above the median of :math:`u \cdot p`, with :math:`u` uniform on the sphere: of
    :math:`N` points about :math:`N / 2 + N / 2f` stay, chosen at random and
    in the order they were in. Density then changes :math:`f` times within a cloud, as it does in scans: for tests of
    robustness, and as augmentation.

    Args:
        factor: By which the half is thinned.
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
