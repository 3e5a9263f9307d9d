"""Augmentation: clouds without normals, as many scanners produce them."""

import torch
from torch import Generator

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms.estimate_normals import EstimateNormals


class DropNormals(BaseTransform):
    """Replaces the normals of some clouds by estimated ones, as clouds without normals get them in prediction.

    Use it before points are chosen, because normals are estimated from all points.

    Args:
        p: Probability that a cloud loses its normals.
        k: Neighbours for the estimated normals.
        generator: Source of randomness (default: torch's global one).

    Shapes:
        ``pos [N, 3]``, ``normal [N, 3]`` -> ``normal [N, 3]`` of unit length.

    Raises:
        ValueError: If p is not in [0, 1], or as in :class:`EstimateNormals`.

    Example:
        >>> from torch_geometric.data import Data
        >>> pos = torch.rand(100, 3)
        >>> data = Data(pos=pos, normal=torch.zeros(100, 3))
        >>> bool(DropNormals(1.0)(data).normal.any()), bool(DropNormals(0.0)(data).normal.any())
        (True, False)
    """

    def __init__(self, p: float = 0.5, k: int = 16, generator: Generator | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"DropNormals: expected a probability p on [0, 1], got {p}")
        self.p, self.generator = p, generator
        self.estimate = EstimateNormals(k)

    def forward(self, data: Data) -> Data:
        drop = torch.rand((), generator=self.generator) < self.p
        return self.estimate(data) if drop else data

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, k={self.estimate.k})"
