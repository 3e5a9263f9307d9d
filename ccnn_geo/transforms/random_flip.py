"""Augmentation: mirrored images."""

import torch
from torch import Generator, Tensor

from ccnn_geo.transforms._grids import check_grid


class RandomFlip:
    """Swaps left and right of an image, at random.

    Args:
        p: probability.
        generator: source of randomness (default: torch's global one).

    Shapes:
        ``[C, H, W]``, unchanged in shape.

    Raises:
        ValueError: unless 0 <= p <= 1, or for another number of axes.

    Example:
        >>> RandomFlip(p=1.0)(torch.tensor([[[1, 2, 3]]]))
        tensor([[[3, 2, 1]]])
    """

    def __init__(self, p: float = 0.5, generator: Generator | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"expected 0 <= p <= 1, got {p}")
        self.p = float(p)
        self.generator = generator

    def __call__(self, image: Tensor) -> Tensor:
        check_grid("RandomFlip", image, "C, H, W")
        return image.flip(2) if float(torch.rand((), generator=self.generator)) < self.p else image

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p:g})"
