"""From an image to network inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ccnn_geo.io.image import EXTENSIONS, fit_image, read_image
from ccnn_geo.transforms.pipelines.base import Pipeline


@dataclass(frozen=True)
class ImagePipeline(Pipeline):
    r"""Prepares an image: :math:`(x / 255 - \mu_c) / \sigma_c` per channel.

    Args:
        mean: Mean of each channel, for values in [0, 1].
        std: Standard deviation of each channel.
        size: (H, W) of the training images. Other images are scaled to cover it and cropped to their centre; None keeps
            their size.
        resize: (H, W) to resize to afterwards, bilinearly with antialiasing; None keeps the size.
        pixels: None for an image ``[C, H, W]``; ``"row"`` for a sequence ``[C, H W]`` row by row, or the order of the
            pixels in the sequence.
        codes: Mask values of the classes, for networks with a prediction per pixel. These see the whole image, scaled
            to cover ``size`` and not cropped. None for networks with one prediction per image.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> pipeline = ImagePipeline(mean=(0.5,), std=(0.25,), size=(2, 2))
        >>> pipeline(pipeline.read(torch.full((1, 4, 4), 255, dtype=torch.uint8)))
        tensor([[[2., 2.],
                 [2., 2.]]])
    """

    kind: ClassVar[str] = "image"
    extensions: ClassVar[tuple[str, ...]] = EXTENSIONS

    mean: Sequence[float] = (0.0,)
    std: Sequence[float] = (1.0,)
    size: Sequence[int] | None = None
    resize: Sequence[int] | None = None
    pixels: str | Sequence[int] | None = None
    codes: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not self.mean or min(self.std) <= 0:
            raise ValueError(
                f"pipeline of images: expected mean and deviation above 0 of each channel, got {self.mean} and "
                f"{self.std}"
            )
        for name in ("size", "resize"):
            value = getattr(self, name)
            if value is not None and (len(value) != 2 or min(value) < 1):
                raise ValueError(f"pipeline of images: expected {name} (H, W) of at least 1, got {value}")

    @property
    def spacing(self) -> float | None:
        """Distance between pixels; None if the longest axis of every image covers [-1, 1]."""
        if self.codes is None or self.size is None:
            return None
        return 2 / max(max(self.size) - 1, 1)

    def read(self, source: str | PathLike[str] | np.ndarray | Tensor) -> Tensor:
        """Reads bytes ``[C, H, W]`` from a file, a Pillow image or an array.

        Shapes:
            array ``[H, W]`` or ``[H, W, C]``, tensor ``[C, H, W]``; uint8
        """
        whole, channels = self.size is None or self.codes is not None, len(self.mean)
        size = None if whole or self.size is None else (self.size[0], self.size[1])
        if channels not in (1, 3):
            raise ValueError(f"expected a network with 1 or 3 channels to read images for, got {channels}")
        if isinstance(source, (str, PathLike)):
            return torch.from_numpy(read_image(Path(source), size, channels))
        if isinstance(source, Tensor):
            source = source.detach().cpu()
            source = (source.movedim(0, -1) if source.dim() == 3 else source).numpy()
        return torch.from_numpy(fit_image(source, size, channels))

    def __call__(self, content: Tensor | np.ndarray) -> Tensor:
        if self.codes is not None and self.size is not None:
            content = _covering(np.asarray(content), self.size)
        return arrange_pixels(self.normalised(content), self.pixels)

    def normalised(self, image: Tensor | np.ndarray) -> Tensor:
        """Standardises bytes ``[C, H, W]`` to a float32 image, as in training."""
        scale, shift = self._scale_and_shift
        image = torch.as_tensor(image).to(torch.float32, memory_format=torch.contiguous_format)
        if self.resize is not None and tuple(image.shape[1:]) != tuple(self.resize):
            image = interpolate(
                image[None], tuple(self.resize), mode="bilinear", align_corners=False, antialias=True
            ).squeeze(0)
        return image.mul_(scale).sub_(shift)

    @cached_property
    def _scale_and_shift(self) -> tuple[Tensor, Tensor]:
        mean, std = (torch.tensor(list(v), dtype=torch.float64).view(-1, 1, 1) for v in (self.mean, self.std))
        return (1 / (255 * std)).float(), (mean / std).float()


def _covering(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Scales bytes ``[C, H, W]`` to the smallest image that covers a size and has the same aspect ratio."""
    scale = max(wanted / found for wanted, found in zip(size, image.shape[1:], strict=True))
    height, width = (max(1, round(scale * found)) for found in image.shape[1:])
    if (height, width) == image.shape[1:]:
        return image
    return fit_image(image.transpose(1, 2, 0), (height, width), len(image))


def arrange_pixels(image: Tensor, pixels: str | Sequence[int] | Tensor | None) -> Tensor:
    """Returns an image ``[C, H, W]``, or a sequence ``[C, H W]`` of its pixels.

    Args:
        image: The image.
        pixels: None for the image, ``"row"``, or the order of the pixels in the sequence.
    """
    if pixels is None:
        return image
    row = image.flatten(1)
    return row if isinstance(pixels, str) else row[:, torch.as_tensor(pixels)]
