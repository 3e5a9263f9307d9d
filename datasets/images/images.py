"""The base of all data sets of images, and of sequences made of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.base.signals import Rows, SignalDataset
from ccnn_geo.transforms.pipelines.images import ImagePipeline, arrange_pixels

_SEED = 42  # the authors' code passes it to random_split


class ImageDataset(SignalDataset):
    r"""Images stored as bytes; a sample is :math:`(x / 255 - \mu_c) / \sigma_c` per channel.

    Args:
        images: Bytes ``[N, C, H, W]``, in memory or in a file.
        y: Labels ``[N]``, integers.
        classes: Names of the classes, in the order of the labels.
        mean: Mean of each channel, for values in [0, 1].
        std: Standard deviation of each channel.
        size: (H, W) to which images are resized when they are read, bilinearly, with antialiasing; None keeps them.
        transform: Applied to each image ``[C, H, W]``. For sequences it comes before the pixels are put in a row, so
            that the same augmentations serve both. Only for training.
        targets: Names and units of targets, with values ``y [N, T]``.
        cells: Labels of the pixels of each image, ``[H, W]``; see :class:`~ccnn_geo.datasets.SignalDataset`.
        codes: Numbers of the classes in the masks that the labels of pixels come from.

    Shapes:
        ``dataset[i]`` is ``(image [C, H, W], label)``; of sequences ``(sequence [C, H * W], label)``, row by row.

    Raises:
        ValueError: If the number of labels differs from the number of images.
    """

    pixels: str | Sequence[int] | None = None
    """Order of pixels in a sequence, see :class:`~ccnn_geo.transforms.pipelines.images.ImagePipeline`."""

    def __init__(
        self,
        images: Rows,
        y: Tensor | np.ndarray,
        classes: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
        *,
        size: tuple[int, int] | None = None,
        transform: Callable[[Tensor], Tensor] | None = None,
        targets: tuple[Sequence[str], Sequence[str]] | None = None,
        cells: Rows | None = None,
        codes: Sequence[int] | None = None,
    ) -> None:
        height, width = images[0].shape[-2:] if len(images) else size or (1, 1)
        self._prepare = ImagePipeline(
            tuple(map(float, mean)),
            tuple(map(float, std)),
            (int(height), int(width)),
            size,
            self.pixels,
            None if codes is None else tuple(codes),
        )
        encode = self._prepare.normalised
        super().__init__(images, y, classes, encode, transform, targets=targets, cells=cells)

    @property
    def pipeline(self) -> ImagePipeline | None:
        """Turns a file into a sample; None if a subclass arranges pixels itself."""
        return self._prepare if type(self).arrange is ImageDataset.arrange else None

    def arrange(self, image: Tensor) -> Tensor:
        """The grid of an image: itself, or a sequence of its pixels."""
        return arrange_pixels(image, self._prepare.pixels)

    @property
    def grid_shape(self) -> tuple[int, ...]:
        return tuple(self.arrange(self.encode(self.values[int(self._index[0])])).shape)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Any:
        sample = super().__getitem__(index)
        return (self.arrange(sample[0]), sample[1]) if isinstance(sample, tuple) else sample


def check_split(info: DatasetInfo, split: str) -> None:
    """Raises ValueError for a split that the data set does not have."""
    if split not in info.counts:
        raise ValueError(f"{info.name} has the splits {', '.join(info.counts)}, got {split!r}")


def published_part(info: DatasetInfo, split: str) -> int:
    """Number of samples in the published file of a split; training and validation share one file."""
    return info.counts["test"] if split == "test" else info.counts["train"] + info.counts["validation"]


def split_index(info: DatasetInfo, split: str, total: int) -> Tensor:
    """Indices of the samples of a split among ``total`` published ones, ascending and the same on every machine.

    Validation is drawn from the published training samples by ``random_split`` with seed 42, for CIFAR and STL10 as in
    the authors' code. With fewer samples than published, its share stays the same, with at least one sample.

    Raises:
        ValueError: If there are fewer than two samples to split.
    """
    if split == "test":
        return torch.arange(total)
    if total < 2:
        raise ValueError(f"{info.name}: {total} training samples, expected one each for train and validation")
    order = torch.randperm(total, generator=torch.Generator().manual_seed(_SEED))
    held_out = max(1, round(total * info.counts["validation"] / published_part(info, "train")))
    return (order[-held_out:] if split == "validation" else order[:-held_out]).sort().values
