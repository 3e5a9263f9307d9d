"""Augmentation: noisy clouds."""

import torch
from torch import Generator

from ccnn_geo._base.pyg import BaseTransform, Data


class RandomJitter(BaseTransform):
    """Moves every point by its own clipped Gaussian noise; normals do not change.

    Args:
        std: standard deviation along an axis, in units of ``pos``.
        clip: largest shift along an axis.
        generator: source of randomness (default: torch's global one).

    Shapes:
        ``pos [N, D]``, unchanged in shape.

    Raises:
        ValueError: for a negative std or clip.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = RandomJitter(std=0.01, clip=0.05)(Data(pos=torch.zeros(100, 3)))
        >>> bool(data.pos.abs().max() <= 0.0501)
        True
    """

    def __init__(self, std: float = 0.01, clip: float = 0.05, generator: Generator | None = None) -> None:
        if std < 0 or clip < 0:
            raise ValueError(f"expected std >= 0 and clip >= 0, got {std} and {clip}")
        self.std = float(std)
        self.clip = float(clip)
        self.generator = generator

    def forward(self, data: Data) -> Data:
        pos = data.pos
        noise = torch.randn(pos.shape, generator=self.generator, dtype=pos.dtype, device=pos.device)
        data.pos = pos + (self.std * noise).clamp(-self.clip, self.clip)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}(std={self.std:g}, clip={self.clip:g})"
