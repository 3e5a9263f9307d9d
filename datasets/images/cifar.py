"""CIFAR (Krizhevsky, 2009), binary versions: images, sequences of pixels, and the grey ones of Long Range Arena."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.datasets.base.info import DataFile, DatasetInfo
from ccnn_geo.datasets.base.official import official_files
from ccnn_geo.datasets.images.images import ImageDataset, check_split, published_part, split_index

_PIXELS = 3 * 32 * 32
_URL = "https://www.cs.toronto.edu/~kriz/"
_COUNTS = {"train": 45_000, "validation": 5_000, "test": 10_000}
_FINE = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree
wolf woman worm
"""


class _CIFAR(ImageDataset):
    all_classes: ClassVar[tuple[str, ...]]
    train_files: ClassVar[tuple[str, ...]]
    test_file: ClassVar[str]
    label_bytes: ClassVar[int] = 1  # the last of them is the label
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        download: bool = True,
        checksum: str | None = "published",
        check_counts: bool = True,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        check_split(self.info, split)
        needed = [self.test_file] if split == "test" else self.train_files
        paths = official_files(
            Path(root).expanduser(), self.info, needed, download=download, checksum=checksum
        )
        count = published_part(self.info, split) // len(paths) if check_counts else None
        parts = [read_batch(path, self.label_bytes, len(self.all_classes), count) for path in paths]
        rows = torch.from_numpy(np.concatenate(parts))
        rows = rows[split_index(self.info, split, len(rows))]
        images = self.convert(rows[:, self.label_bytes :].view(-1, 3, 32, 32))
        y = rows[:, self.label_bytes - 1].long()
        super().__init__(images, y, self.all_classes, self.mean, self.std, transform=transform)

    def convert(self, images: Tensor) -> Tensor:
        """Converts published images ``[N, 3, 32, 32]`` to the stored form."""
        return images


class CIFAR10(_CIFAR):
    """CIFAR-10: 45,000 images for training, 5,000 for validation, 10,000 for testing, in 10 classes.

    The published archive of the binary version (170 MB), or its content, lies in ``root/cifar10`` or in ``root``
    itself; otherwise it is fetched. Images are read into memory, a byte per value (138 MB); nothing else is stored.
    The other published version is a pickle, which could run code, and is not read.

    Args:
        root: Folder of all data sets, or of the archive.
        split: train, validation or test. Validation is a fixed part of the published training set.
        download: Fetch the archive if needed.
        checksum: Digest of the archive ("published": the publisher's); None accepts any.
        check_counts: Insist on the published number of images.
        transform: Applied to each image ``[3, 32, 32]`` at every access. Only for training.

    Shapes:
        ``dataset[i]`` is ``(image [3, 32, 32], label)``, normalised per channel.

    Raises:
        ConnectionError: If the archive cannot be fetched; the message says which file to place where.
        FileNotFoundError: If it is missing and ``download`` is False.
        ValueError: For an unknown split, a wrong digest or number of images, or damaged files.

    Example:
        >>> CIFAR10.info.counts, CIFAR10.info.size
        ({'train': 45000, 'validation': 5000, 'test': 10000}, (32, 32))
        >>> train = CIFAR10("data", "train")  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([3, 32, 32])
    """

    info = DatasetInfo(
        name="cifar10",
        title="photographs in 10 classes",
        family="image",
        in_channels=3,
        size=(32, 32),
        classes=10,
        counts=_COUNTS,
        folder="cifar10",
        files=(
            DataFile(
                _URL + "cifar-10-binary.tar.gz",
                "cifar-10-binary.tar.gz",
                "md5:c32a1d4ab5d03f1284b67883e8d87530",
                170_052_171,
            ),
        ),
        prepared=60_000 * (_PIXELS + 1),
        source="Krizhevsky, 2009; Appendix B",
    )
    all_classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    train_files = tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6))
    test_file = "cifar-10-batches-bin/test_batch.bin"
    mean: ClassVar[tuple[float, ...]] = (0.4914, 0.4822, 0.4465)
    std: ClassVar[tuple[float, ...]] = (0.247, 0.243, 0.261)


class SequentialCIFAR10(CIFAR10):
    """sCIFAR10: the pixels of CIFAR-10 one by one, row by row, three channels each.

    Arguments, errors and behaviour are those of :class:`CIFAR10`; the transform is applied to the image.

    Shapes:
        ``dataset[i]`` is ``(sequence [3, 1024], label)``.

    Example:
        >>> SequentialCIFAR10.info.size, SequentialCIFAR10.info.family
        ((1024,), 'sequence')
        >>> train = SequentialCIFAR10("data", "train")  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([3, 1024])
    """

    info = replace(
        CIFAR10.info, name="scifar10", title="photographs pixel by pixel", family="sequence", size=(1024,)
    )

    pixels = "row"


class LRAImage2D(CIFAR10):
    """Image of Long Range Arena as images instead of sequences: CIFAR-10 in grey.

    Arguments, errors and behaviour are those of :class:`CIFAR10`. Grey is :math:`0.299 R + 0.587 G + 0.114 B`, rounded;
    its mean and deviation are 122.6 and 61 of 255, as in the authors' code.

    Shapes:
        ``dataset[i]`` is ``(image [1, 32, 32], label)``.

    Example:
        >>> LRAImage2D.info.in_channels, LRAImage2D.info.size
        (1, (32, 32))
        >>> train = LRAImage2D("data", "train")  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([1, 32, 32])
    """

    info = replace(CIFAR10.info, name="image2d", title="Long Range Arena: grey photographs", in_channels=1)
    mean, std = (122.6 / 255,), (61 / 255,)

    def convert(self, images: Tensor) -> Tensor:
        return torch.cat(
            [to_gray(part) for part in images.split(5000)]
        )  # in parts: it takes four bytes for one


class LRAImage(LRAImage2D):
    """Image of Long Range Arena: the pixels of CIFAR-10 in grey, row by row.

    Arguments, errors and behaviour are those of :class:`LRAImage2D`; the transform is applied to the image.

    Shapes:
        ``dataset[i]`` is ``(sequence [1, 1024], label)``.

    Example:
        >>> LRAImage.info.in_channels, LRAImage.info.size
        (1, (1024,))
        >>> train = LRAImage("data", "train")  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([1, 1024])
    """

    info = replace(
        LRAImage2D.info,
        name="image",
        title="Long Range Arena: grey photographs pixel by pixel",
        family="sequence",
        size=(1024,),
    )

    pixels = "row"


class CIFAR100(_CIFAR):
    """CIFAR-100: like CIFAR-10, in 100 classes (the fine ones); archive 169 MB, in ``root/cifar100`` or ``root``.

    Arguments, errors, shapes and behaviour are those of :class:`CIFAR10`.

    Example:
        >>> CIFAR100.info.classes, CIFAR100.all_classes[:3]
        (100, ('apple', 'aquarium_fish', 'baby'))
        >>> train = CIFAR100("data", "train")  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([3, 32, 32])
    """

    info = replace(
        CIFAR10.info,
        name="cifar100",
        title="photographs in 100 classes",
        classes=100,
        folder="cifar100",
        files=(
            DataFile(
                _URL + "cifar-100-binary.tar.gz",
                "cifar-100-binary.tar.gz",
                "md5:03b5dce01913d631647c71ecec9e9cb8",
                168_513_733,
            ),
        ),
        prepared=60_000 * (_PIXELS + 2),
    )
    all_classes = tuple(_FINE.split())
    train_files = ("cifar-100-binary/train.bin",)
    test_file = "cifar-100-binary/test.bin"
    label_bytes = 2  # the coarse class comes first
    mean, std = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)


def to_gray(images: Tensor) -> Tensor:
    """Bytes ``[N, 3, H, W]`` to ``[N, 1, H, W]``: ITU-R 601 luma in 16-bit fixed point, as imaging libraries do."""
    r, g, b = images.int().unbind(1)
    return ((19595 * r + 38470 * g + 7471 * b + 2**15) >> 16).to(torch.uint8).unsqueeze(1)


def read_batch(path: Path, label_bytes: int, classes: int, count: int | None) -> np.ndarray:
    """Rows ``[N, labels + pixels]`` of a file, mapped, so that only the rows in use take memory."""
    length, size = label_bytes + _PIXELS, path.stat().st_size
    num, rest = divmod(size, length)
    if rest or not num or (count is not None and num != count):
        raise ValueError(
            f"{path}: {size} bytes, expected {count or 'N'} images of {length}; check_counts=False accepts another "
            f"number of images"
        )
    rows = np.memmap(path, np.uint8, "r", shape=(num, length))
    labels = rows[:, label_bytes - 1]
    if labels.max() >= classes:
        raise ValueError(
            f"{path}: label {labels.max()} of image {int(labels.argmax())}, expected 0 to {classes - 1}"
        )
    return rows
