"""Augmentation: shapes with y up and shapes with z up."""

import torch
from torch import Generator

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms.turn_up import TurnUp


class RandomUp(BaseTransform):
    r"""Rotates some clouds by a right angle about x, so that y becomes z, because files do not say which axis is up.

    :math:`(x, y, z) \mapsto (x, -z, y)`, normals likewise.

    Args:
        p: Probability of rotating a cloud.
        generator: Source of randomness (default: torch's global one).

    Shapes:
        ``pos [N, 3]``, ``normal [N, 3]``, unchanged in shape.

    Raises:
        ValueError: If p is not in [0, 1], or positions are not three-dimensional.

    Example:
        >>> from torch_geometric.data import Data
        >>> RandomUp(1.0)(Data(pos=torch.tensor([[1.0, 2.0, 3.0]]))).pos
        tensor([[ 1., -3.,  2.]])
    """

    def __init__(self, p: float = 0.5, generator: Generator | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"RandomUp: expected a probability p on [0, 1], got {p}")
        self.p, self.generator, self._turn = p, generator, TurnUp("y", "z")

    def forward(self, data: Data) -> Data:
        if data.pos.size(1) != 3:
            raise ValueError(f"RandomUp: expected pos [N, 3], got {list(data.pos.shape)}")
        if torch.rand((), generator=self.generator) < self.p:
            data = self._turn(data)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"
