"""Fewer points, evenly spread."""

import torch
from torch import Generator

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.neighbors.farthest import farthest_points
from ccnn_geo.neighbors.measure import cell_measure
from ccnn_geo.transforms._points import at_least_one, take_points


class FarthestSubset(BaseTransform):
    """Keeps ``num`` points (all if there are fewer), each the farthest from those before it.

    They cover a shape evenly, so a sum over them is closer to an integral than over as many random points;
    ``docs/bandlimit.md`` measures the effect. The first point is drawn on every call, or always the same.

    With ``reference`` each point gets a ``weight``, which networks and layers use: it counts how many of the cloud's
    points are nearest to it. Weights add up to ``reference`` however many points are kept, so sums over 256 and
    over 1,024 points of a shape are the same integral.

    Args:
        num: points to keep.
        random: whether the first point is drawn; otherwise it is the cloud's first.
        generator: source of randomness (default: torch's global one).
        reference: number of points that would weigh 1 each, the ``num`` of training; None for no weights.

    Shapes:
        every tensor with one row per point: ``[N, ...] -> [min(num, N), ...]``; ``weight``: ``[min(num, N)]``.

    Raises:
        ValueError: if num or reference is < 1, or positions are not finite.

    Source: Qi et al., 2017, PointNet++, Sec. 3.2.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = FarthestSubset(20)(Data(pos=torch.rand(100, 3)))
        >>> data.pos.shape
        torch.Size([20, 3])
    """

    def __init__(
        self,
        num: int,
        random: bool = True,
        generator: Generator | None = None,
        reference: int | None = None,
    ) -> None:
        self.num = at_least_one(num)
        self.reference = None if reference is None else at_least_one(reference, "reference")
        self.random = random
        self.generator = generator

    def forward(self, data: Data) -> Data:
        total = data.num_nodes
        start = 0
        if self.random and total > 0:
            device = None if self.generator is None else self.generator.device
            start = int(torch.randint(total, (), generator=self.generator, device=device))
        chosen = farthest_points(data.pos, min(self.num, total), start)
        if self.reference is None:
            return take_points(data, chosen)
        weight = cell_measure(data.pos[chosen], data.pos) * (self.reference / max(len(chosen), 1))
        data = take_points(data, chosen)
        data.weight = weight
        return data

    def __repr__(self) -> str:
        words = [str(self.num)]
        words += [] if self.random else ["random=False"]
        words += [] if self.reference is None else [f"reference={self.reference}"]
        return f"{type(self).__name__}({', '.join(words)})"
