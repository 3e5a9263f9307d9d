"""Pathfinder and Path-X of the Long Range Arena: do two discs lie on one dashed contour? As sequences and images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.datasets.base import lra
from ccnn_geo.datasets.base.conversion import Results, convert
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.base.signals import SignalDataset
from ccnn_geo.datasets.images.pathfinder_drawing import Drawing
from ccnn_geo.datasets.images.pathfinder_files import (
    labels_path,
    list_samples,
    load_images,
    read_archive,
    read_pngs,
    store_images,
)
from ccnn_geo.datasets.images.pathfinder_images import generate_images
from ccnn_geo.io.files.storage import exclusive
from ccnn_geo.transforms.pipelines.images import ImagePipeline

LEVEL = "curv_contour_length_14"
TOTAL = 200_000
SPLITS = {"train": 160_000, "validation": 20_000, "test": 20_000}
CLASSES = ("separate", "connected")


class _Pathfinder(SignalDataset):
    """Base of :class:`Pathfinder`, :class:`Pathfinder2D` and :class:`PathX`: all but resolution and shape."""

    resolution: ClassVar[int]

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        download: bool = True,
        checksum: str | None = "published",
        transform: Callable[[Tensor], Tensor] | None = None,
        check_counts: bool = True,
        file: str | PathLike[str] | None = None,
        generate: bool | int = False,
        seed: int = 0,
        drawing: Drawing | Mapping[str, Any] | None = None,
        num_workers: int | None = None,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"{self.info.name} has the splits {', '.join(SPLITS)}, got {split!r}")
        root, size = Path(root).expanduser(), self.resolution
        processed = root / "processed" / lra.FOLDER
        given = None
        if file is not None:
            images, y, given = read_archive(Path(file).expanduser(), size)
        elif generate is not False:
            total = TOTAL if generate is True else int(generate)
            if total < 10:
                raise ValueError(f"generate: expected 10 images or more, got {total}")
            drawing = _drawing(drawing, size)
            size = drawing.size
            base = processed / f"pathfinder{size}-generated-{digest(total, seed, drawing)}"
            batches = partial(generate_images, total, size, seed, drawing, num_workers)
            images, y = _stored(base, total, size, batches)
        else:
            base = processed / f"pathfinder{size}"
            if check_counts and labels_path(base).exists():
                images, y = load_images(base, size)
            else:
                folder = self._folder(root, download, checksum)
                samples = list_samples(folder, TOTAL if check_counts else None)
                if not check_counts:  # the key includes the files
                    base = processed / f"pathfinder{size}-{digest(samples)}"
                _store_files(base, folder, samples, size, num_workers)
                images, y = load_images(base, size)
        encode = _Encode((size, size) if self.info.dim == 2 else (size * size,))
        super().__init__(images, y, CLASSES, encode, transform)
        pixels = None if self.info.dim == 2 else "row"
        self._prepare = ImagePipeline((0.0,), (1.0,), (size, size), None, pixels)
        if given is None:
            self._index = split_indices(len(y), split)
        else:
            self._index = torch.from_numpy(np.flatnonzero(given == list(SPLITS).index(split)))
        self.y = self.y[self._index]

    @property
    def pipeline(self) -> ImagePipeline:
        """Turns a file into a sample."""
        return self._prepare

    def _folder(self, root: Path, download: bool, checksum: str | None) -> Path:
        otherwise = f"make the images with {type(self).__name__}(root, generate=True)"
        return lra.part(root, f"pathfinder{self.resolution}/{LEVEL}", download, checksum, otherwise)


def _info(name: str, title: str, size: tuple[int, ...], resolution: int) -> DatasetInfo:
    return DatasetInfo(
        name=name,
        title=title,
        family="sequence" if len(size) == 1 else "image",
        in_channels=1,
        size=size,
        classes=2,
        counts=SPLITS,
        folder=lra.FOLDER,
        files=(lra.RELEASE,),
        prepared=TOTAL * (resolution**2 + 8 * 2**10),  # a byte per pixel, and png files of two blocks or less
        many_files=True,
        source="Linsley et al., 2018; Tay et al., 2021 (Long Range Arena); appendix B",
    )


class Pathfinder(_Pathfinder):
    """LRA Pathfinder: images of 32 x 32 row by row, the hardest level (contours of 14 dashes), 200,000 of them.

    Reads ``root/lra/pathfinder32/curv_contour_length_14/{imgs/<n>/sample_<m>.png, metadata/<n>.npy}`` from the
    release (``lra_release.gz``, fetched into ``root/lra`` if needed; only this folder is unpacked). The metadata are
    lines of text despite their extension; arrays without Python objects are read too, pickles never. All images are
    stored in one file in ``root/processed/lra``, a byte per pixel, and mapped from there.

    80 % are for training, 10 % for validation and 10 % for testing, drawn by ``random_split`` with seed 42. Values are
    in [0, 1]. Both are as in the authors' released code.

    Args:
        root: Folder of all data sets.
        split: "train", "validation" or "test".
        download: Fetch the release if needed.
        checksum: Digest that the archive must have; the publisher gives none.
        transform: Applied to each sample at every access.
        check_counts: Insist on 200,000 images.
        file: Read the images from an archive ``.npz`` instead, see
            :func:`~ccnn_geo.datasets.images.pathfinder_files.read_archive`.
        generate: Make the images instead, see :mod:`~ccnn_geo.datasets.images.pathfinder_scenes`: True for 200,000, or
            their number. Needs no download.
        seed: Seed of the generator.
        drawing: Settings of the generator, also as a mapping ``{size: 16, contour: 4}`` of arguments of
            :meth:`~ccnn_geo.datasets.images.pathfinder_drawing.Drawing.of_size`. Its size is the size of the images.
        num_workers: Processes that read or make images; None chooses by the number of images.

    Shapes:
        ``dataset[i]`` is ``([1, 1024], label)``, float32 in [0, 1]; label 1 if a contour connects the discs. A
        drawing of size S gives ``[1, S * S]``.

    Raises:
        ConnectionError: If the release cannot be fetched; the message says which file to place where.
        FileNotFoundError: If it is missing and ``download`` is False.
        ValueError: For an unknown split, files that are not as described, or another number of images.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     train = Pathfinder(root, generate=10, drawing={"contour": 6, "num_distractors": 0})
        >>> train
        Pathfinder(8 samples [1, 1024], 2 classes)
        >>> train.classes
        ['separate', 'connected']
    """

    info: ClassVar[DatasetInfo] = _info("pathfinder", "LRA Pathfinder: contours, pixel by pixel", (1024,), 32)
    resolution = 32


class Pathfinder2D(_Pathfinder):
    """The samples of :class:`Pathfinder` as images: ``dataset[i]`` is ``([1, 32, 32], label)``; otherwise the same.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     train = Pathfinder2D(root, generate=10, drawing={"contour": 6, "num_distractors": 0})
        >>> train
        Pathfinder2D(8 samples [1, 32, 32], 2 classes)
    """

    info: ClassVar[DatasetInfo] = _info("pathfinder2d", "LRA 2DPathfinder: contours, as images", (32, 32), 32)
    resolution = 32


class PathX(_Pathfinder):
    """LRA Path-X: :class:`Pathfinder` with images of 128 x 128; ``dataset[i]`` is ``([1, 16384], label)``.

    Example:
        >>> PathX.info.counts, PathX.info.size
        ({'train': 160000, 'validation': 20000, 'test': 20000}, (16384,))
        >>> train = PathX("data", generate=1000)  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([1, 16384])
    """

    info: ClassVar[DatasetInfo] = _info(
        "pathx", "LRA Path-X: contours, 16,384 pixels in a row", (16384,), 128
    )
    resolution = 128


class _Encode:
    """Converts bytes ``[H, W]`` to a float32 grid in [0, 1]."""

    def __init__(self, size: tuple[int, ...]) -> None:
        self.size = size

    def __call__(self, image: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(image, dtype=np.float32)).view(1, *self.size).div_(255)


def _drawing(given: Drawing | Mapping[str, Any] | None, size: int) -> Drawing:
    """Settings of the generator, by default at the data set's own size."""
    if isinstance(given, Drawing):
        return given
    known = [field.name for field in fields(Drawing)]
    unknown = [name for name in given or () if name not in known]
    if unknown:
        raise ValueError(
            f"drawing: no {', '.join(map(repr, unknown))}, expected some of {', '.join(known)}, got {given}"
        )
    return Drawing.of_size(**{"size": size, **(given or {})})


def split_indices(num: int, split: str) -> Tensor:
    """Indices of a split: 80, 10 and 10 %, dealt by ``torch.utils.data.random_split`` with seed 42."""
    order = torch.randperm(num, generator=torch.Generator().manual_seed(42))
    held_out = num // 10
    bounds = {"train": (0, num - 2 * held_out), "validation": (num - 2 * held_out, num - held_out)}
    return order[slice(*bounds.get(split, (num - held_out, num)))]


def _stored(
    base: Path, num: int, size: int, batches: Callable[[], Iterable]
) -> tuple[np.ndarray, np.ndarray]:
    with exclusive(base.parent, base.name):
        if not labels_path(base).exists():  # written last
            store_images(base, batches(), num, size)
    return load_images(base, size)


def _store_files(
    base: Path, folder: Path, samples: Sequence[tuple[str, int]], size: int, num_workers: int | None
) -> None:
    def batches(found: Results) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        for image, (_, label) in zip(found.arrays("images"), samples, strict=True):
            yield image["image"][None], np.array([label], dtype=np.uint8)

    def merge(found: Results) -> None:
        store_images(base, batches(found), len(samples), size)

    columns = ([folder / name for name, _ in samples], [size] * len(samples))
    convert(stored_png, columns, labels_path(base), merge, title=base.name, num_workers=num_workers)


def stored_png(path: Path, size: int) -> dict[str, np.ndarray]:
    """Reads a file as it is stored: ``image [size, size]``, bytes."""
    return {"image": read_pngs([path], size)[0]}
