"""MNIST (LeCun et al., 1998): digits as images, as sequences, and as sequences in another order."""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.datasets.base.info import DataFile, DatasetInfo
from ccnn_geo.datasets.base.official import official_files
from ccnn_geo.datasets.images.images import ImageDataset, check_split, published_part, split_index
from ccnn_geo.io.shapes.arrays import INFLATION

_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FILES = tuple(
    DataFile(_URL + name, name, f"md5:{digest}", size)
    for name, digest, size in (
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28_881),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1_648_877),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4_542),
    )
)
PERMUTATION_SHA256 = "6d9f457e3713e35d4b78478a5a05dfe7fc74b66b51bc9926edaf591d160d3dc9"
"""Digest of the fixed order of :class:`PermutedMNIST`, from its indices as little-endian 16-bit integers."""


class MNIST(ImageDataset):
    """MNIST as images: 55,000 for training, 5,000 for validation, 10,000 for testing, in 10 classes.

    The four published files, gzipped or not, lie in ``root/mnist`` or in ``root`` itself; otherwise they are fetched
    (12 MB). They are read into memory, a byte per pixel (43 MB), in half a second; nothing else is stored.

    Args:
        root: Folder of all data sets, or of the files.
        split: train, validation or test. Validation is a fixed part of the published training set.
        download: Fetch missing files.
        checksum: "published" checks downloads by the publisher's digests, None does not.
        check_counts: Insist on the published number of images.
        transform: Applied to each image ``[1, 28, 28]`` at every access. Only for training.

    Shapes:
        ``dataset[i]`` is ``(image [1, 28, 28], label)``, normalised by the usual mean 0.1307 and deviation 0.3081.

    Raises:
        ConnectionError: If a file cannot be fetched; the message says which file to place where.
        FileNotFoundError: If files are missing and ``download`` is False.
        ValueError: For an unknown split, a wrong digest or number of images, or damaged files.

    Example:
        >>> MNIST.info.counts, MNIST.info.size
        ({'train': 55000, 'validation': 5000, 'test': 10000}, (28, 28))
        >>> train = MNIST("data", "train")  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([1, 28, 28])
    """

    info = DatasetInfo(
        name="mnist",
        title="handwritten digits, images",
        family="image",
        in_channels=1,
        size=(28, 28),
        classes=10,
        counts={"train": 55_000, "validation": 5_000, "test": 10_000},
        folder="mnist",
        files=_FILES,
        source="LeCun et al., 1998; Appendix B",
    )

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
        part = "t10k" if split == "test" else "train"
        needed = [f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"]
        images, labels = official_files(
            Path(root).expanduser(), self.info, needed, download=download, checksum=checksum
        )
        count = published_part(self.info, split) if check_counts else None
        x = read_idx(images, (28, 28), count)
        y = read_idx(labels, (), len(x))
        if len(y) and y.max() > 9:
            raise ValueError(f"{labels}: label {y.max()} at {int(y.argmax())}, expected 0 to 9")
        index = split_index(self.info, split, len(x))
        super().__init__(
            x[index].unsqueeze(1),
            y[index],
            [str(d) for d in range(10)],
            (0.1307,),
            (0.3081,),
            transform=transform,
        )


class SequentialMNIST(MNIST):
    """sMNIST: the pixels of MNIST one by one, row by row.

    Arguments, errors and behaviour are those of :class:`MNIST`; the transform is applied to the image.

    Shapes:
        ``dataset[i]`` is ``(sequence [1, 784], label)``.

    Example:
        >>> SequentialMNIST.info.size, SequentialMNIST.info.family
        ((784,), 'sequence')
        >>> train = SequentialMNIST("data", "train")  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([1, 784])
    """

    info = replace(MNIST.info, name="smnist", title="digits pixel by pixel", family="sequence", size=(784,))

    pixels = "row"


class PermutedMNIST(MNIST):
    """pMNIST: the pixels of MNIST in one fixed random order, the same for all images, runs and machines.

    The order is numpy's ``RandomState(0).permutation(784)``, a stream that numpy never changes; its digest is
    :data:`PERMUTATION_SHA256`. The attribute ``permutation`` holds it: step t shows pixel ``permutation[t]``.

    Args:
        permutation: Another order of the 784 pixels (default: as above).
        **kwargs: See :class:`MNIST`; the transform is applied to the image.

    Shapes:
        ``dataset[i]`` is ``(sequence [1, 784], label)``; ``permutation [784]``.

    Raises:
        ValueError: As for :class:`MNIST`, and unless the permutation has each of 0..783 once.

    Example:
        >>> PermutedMNIST.info.size, PermutedMNIST.info.family
        ((784,), 'sequence')
        >>> train = PermutedMNIST("data", "train")  # doctest: +SKIP
        >>> backwards = PermutedMNIST("data", "train", permutation=range(783, -1, -1))  # doctest: +SKIP
    """

    info = replace(
        SequentialMNIST.info, name="pmnist", title="digits pixel by pixel, in a fixed random order"
    )

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        permutation: Sequence[int] | Tensor | None = None,
        **kwargs: Any,
    ) -> None:
        order = fixed_permutation() if permutation is None else torch.as_tensor(permutation)
        if order.is_floating_point() or not torch.equal(order.sort().values.long(), torch.arange(784)):
            raise ValueError(
                f"permutation: expected each of 0 to 783 once, got {order.dtype} of shape {list(order.shape)}"
            )
        self.permutation = order.long()
        self.pixels = self.permutation.tolist()
        super().__init__(root, split, **kwargs)


def fixed_permutation() -> Tensor:
    """Returns the order of :class:`PermutedMNIST`, int64 ``[784]``.

    Raises:
        RuntimeError: If numpy's stream has changed after all.
    """
    order = np.random.RandomState(0).permutation(784)
    digest = hashlib.sha256(order.astype("<u2").tobytes()).hexdigest()
    if digest != PERMUTATION_SHA256:
        raise RuntimeError(f"numpy {np.__version__}: the order of pMNIST has digest {digest}")
    return torch.from_numpy(order).long()


def read_idx(path: Path, shape: tuple[int, ...], count: int | None) -> Tensor:
    """Reads bytes ``[N, *shape]`` from an idx file, which begins with its type, number of axes and their lengths."""
    magic = 0x800 + 1 + len(shape)  # 8: unsigned bytes
    length = 4 * (2 + len(shape))
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(length)
            if len(header) < length or struct.unpack(">I", header[:4])[0] != magic:
                raise ValueError(f"{path}: begins with {header[:4].hex()}, expected {magic:08x}")
            num, *found = struct.unpack(f">{1 + len(shape)}I", header[4:])
            if tuple(found) != shape or (count is not None and num != count):
                raise ValueError(
                    f"{path}: holds {[num, *found]}, expected {[count or 'N', *shape]}; check_counts=False accepts "
                    f"another number of images"
                )
            size = num * math.prod(shape)
            # never reads more than the file can hold
            content = bytearray(file.read(min(size, INFLATION * path.stat().st_size) + 1))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged or cut off, expected a whole gzip file") from error
    if len(content) != size:
        more = "more" if len(content) > size else str(len(content))
        raise ValueError(f"{path}: {more} bytes after the header, expected {size}")
    return torch.from_numpy(np.frombuffer(content, np.uint8).reshape(num, *shape))
