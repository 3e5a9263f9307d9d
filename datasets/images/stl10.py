"""STL-10 (Coates et al., 2011): a few larger photographs; binary version."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.datasets.base.info import DataFile, DatasetInfo
from ccnn_geo.datasets.base.official import official_files
from ccnn_geo.datasets.images.images import ImageDataset, check_split, published_part, split_index

_SIDE = 96


class STL10(ImageDataset):
    """STL-10: 4,500 images for training, 500 for validation, 8,000 for testing, in 10 classes.

    The published archive (2.6 GB, including 100,000 images without a label, which are not used), or its content, lies
    in ``root/stl10`` or in ``root`` itself; otherwise it is fetched. Its files are mapped, not copied: images are
    stored with 96 x 96 pixels and resized when they are read. ``unlabeled_X.bin`` (2.8 GB) may be removed.

    Args:
        root: Folder of all data sets, or of the archive.
        split: train, validation or test. Validation is a fixed part of the published training set.
        size: Pixels per side; the authors' code trains on 256. None keeps the published 96. For the crops in the
            authors' augmentation use ``size=272, transform=RandomCrop(size=256)``.
        download: Fetch the archive if needed.
        checksum: Digest of the archive ("published": as in other loaders); None accepts any.
        check_counts: Insist on the published number of images.
        transform: Applied to each image ``[3, size, size]`` at every access. Only for training.

    Shapes:
        ``dataset[i]`` is ``(image [3, size, size], label)``, normalised per channel.

    Raises:
        ConnectionError: If the archive cannot be fetched; the message says which file to place where.
        FileNotFoundError: If it is missing and ``download`` is False.
        ValueError: For an unknown split, a wrong digest or number of images, a size below 1, or damaged files.

    Example:
        >>> STL10.info.counts, STL10.info.size
        ({'train': 4500, 'validation': 500, 'test': 8000}, (256, 256))
        >>> train = STL10("data", "train", size=96)  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([3, 96, 96])
    """

    info = DatasetInfo(
        name="stl10",
        title="larger photographs in 10 classes",
        family="image",
        in_channels=3,
        size=(256, 256),
        classes=10,
        counts={"train": 4_500, "validation": 500, "test": 8_000},
        folder="stl10",
        files=(
            DataFile(
                "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                "stl10_binary.tar.gz",
                "md5:91f7769df0f17e558f3565bffb0c7dfb",
                2_640_397_119,
            ),
        ),
        prepared=113_000 * 3 * _SIDE**2,
        source="Coates et al., 2011; Appendix B",
    )
    all_classes = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        size: int | None = 256,
        download: bool = True,
        checksum: str | None = "published",
        check_counts: bool = True,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        check_split(self.info, split)
        if size is not None and size < 1:
            raise ValueError(f"size must be at least 1, or None, got {size}")
        part = "test" if split == "test" else "train"
        paths = official_files(
            Path(root).expanduser(),
            self.info,
            [f"stl10_binary/{part}_X.bin", f"stl10_binary/{part}_y.bin"],
            download=download,
            checksum=checksum,
        )
        images, y = read_images(
            paths[0], paths[1], published_part(self.info, split) if check_counts else None
        )
        index = split_index(self.info, split, len(y))
        super().__init__(
            images if split == "test" else images[index],
            y[index],
            self.all_classes,
            (0.4467, 0.4398, 0.4066),
            (0.2603, 0.2566, 0.2713),
            size=None if size is None else (size, size),
            transform=transform,
        )


def read_images(images: Path, labels: Path, count: int | None) -> tuple[Tensor, Tensor]:
    """Images ``[N, 3, 96, 96]``, mapped from their file, and labels from 0."""
    length, size = 3 * _SIDE**2, images.stat().st_size
    num, rest = divmod(size, length)
    if rest or not num or (count is not None and num != count):
        raise ValueError(
            f"{images}: {size} bytes, expected {count or 'N'} images of {length}; check_counts=False accepts another "
            f"number of images"
        )
    y = torch.from_numpy(np.fromfile(labels, np.uint8))
    if len(y) != num:
        raise ValueError(f"{labels}: {len(y)} labels, expected {num} for {images.name}")
    if y.min() < 1 or y.max() > 10:
        raise ValueError(f"{labels}: labels {y.min()} to {y.max()}, expected 1 to 10")
    # copy-on-write: torch wants a writable array, and the file stays unchanged
    columns = torch.from_numpy(np.memmap(images, np.uint8, "c", shape=(num, 3, _SIDE, _SIDE)))
    return columns.transpose(2, 3), y.long() - 1  # the publisher stores column by column
