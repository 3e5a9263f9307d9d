"""Images of a split, and their masks, decoded once into one array in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.datasets.base.conversion import Results, convert, refuse
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.io.files.mapped import MappedArray, write_rows
from ccnn_geo.io.files.sample_files import cannot_open, stamps
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.image import fit_image, fit_mask, read_image, read_mask


@dataclass(frozen=True)
class ImageSettings:
    """Settings that determine the stored bytes.

    Args:
        size: (H, W) to which images are scaled and cropped; None if all have the same size.
        channels: 3 for colour, 1 for grey.
    """

    size: tuple[int, int] | None
    channels: int


class StoredImages:
    """The stored images of a split.

    Args:
        target: The table; the pixels lie beside it.
        channels: Channels of the images; a mask is one more.
    """

    def __init__(self, target: Path, channels: int) -> None:
        table = read_arrays(target, ("name", "mean", "std", "values"))
        self.rows = MappedArray(target.with_suffix(".npy"))
        is_masked = self.rows.shape[1] > channels
        self.images = Channels(self.rows, slice(0, channels)) if is_masked else self.rows
        self.names: list[str] = table["name"].tolist()
        self.mean: list[float] = table["mean"].tolist()
        self.std: list[float] = table["std"].tolist()
        self.values: list[int] = np.flatnonzero(table["values"]).tolist()
        """Numbers that occur in masks."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image, ``(H, W)``."""
        return tuple(self.rows.shape[2:])

    def first_with(self, values: Sequence[int]) -> str:
        """Returns the name of an image whose mask has one of the given numbers."""
        masks = ((name, self.rows[i][-1]) for i, name in enumerate(self.names))
        return next(name for name, mask in masks if np.isin(mask, values).any())


@dataclass(frozen=True)
class Channels:
    """Some channels of stored images."""

    rows: MappedArray
    part: slice

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        return self.rows[index][..., self.part, :, :]


@dataclass(frozen=True)
class MaskLabels:
    """Labels of pixels, ``[H, W]`` int64 for each image: the index of the mask's number in the codes, or -1."""

    rows: MappedArray
    codes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> np.ndarray:
        labels = np.full(256, -1, np.int64)
        labels[list(self.codes)] = np.arange(len(self.codes))
        return labels[self.rows[index][-1]]


def stored_images(
    root: Path,
    split: str,
    paths: Sequence[Path],
    masks: Sequence[Path] | None,
    settings: ImageSettings,
    home: Path,
    num_workers: int | None,
) -> StoredImages:
    """Opens the stored images of a split; decodes them unless that is done.

    Args:
        root: The folder that names of files are relative to.
        split: Part of the stored file's name.
        paths: The files.
        masks: Masks with the labels of their pixels; None without.
        settings: Settings that determine the stored bytes.
        home: Folder of the stored file.
        num_workers: Processes that decode; None for as many as are worth their start.

    Raises:
        ValueError: If some cannot be used; lists them by the kind of error.
    """
    names = [path.relative_to(root).as_posix() for path in paths]
    key = digest(names, stamps(paths), settings, *([] if masks is None else [stamps(masks)]))
    target = home / f"{split}-{key}.npz"

    def merge(found: Results) -> None:
        depth = settings.channels + (masks is not None)
        measured = _write_pixels(found, paths, settings.channels, depth, target.with_suffix(".npy"))
        table: dict[str, Any] = {"name": np.array(names), **measured}
        write_atomic(target, partial(np.savez, **table))  # written last

    beside: Sequence[Path | None] = [None] * len(paths) if masks is None else masks
    columns = (paths, [settings] * len(paths), beside)
    convert(stored_image, columns, target, merge, title="images", num_workers=num_workers)
    return StoredImages(target, settings.channels)


def _write_pixels(
    found: Results, paths: Sequence[Path], channels: int, depth: int, target: Path
) -> dict[str, np.ndarray]:
    """Writes all images to a file; returns mean and deviation of the channels, and the counts of numbers in masks."""
    shape = next((one["image"].shape for one in found if not isinstance(one, str)), (depth, 0, 0))
    moments: list[np.ndarray] = []
    values = np.zeros(256, np.int64)

    def images() -> Iterator[np.ndarray]:
        errors = []
        for path, one in zip(paths, found, strict=True):
            if isinstance(one, str):
                errors.append(one)
            elif one["image"].shape != shape:
                other, first = (" x ".join(map(str, s[1:])) for s in (one["image"].shape, shape))
                errors.append(f"{path}: {other} pixels, the first image has {first}; give a size for all")
            else:
                image = one["image"]
                colours = image[:channels].reshape(channels, -1) / 255
                moments.append(np.stack([colours.mean(1), (colours**2).mean(1)]))
                if depth > channels:
                    np.add(values, np.bincount(image[-1].ravel(), minlength=256), out=values)
                yield image
        refuse(errors, len(paths), "images")

    write_rows(target, np.uint8, (len(paths), *shape), images())
    mean, square = np.mean(moments, axis=0)
    std = np.sqrt(np.maximum(square - mean**2, 0))
    std = np.where(std < 1 / 255, 1, std)  # a constant channel is only shifted
    return {"mean": mean, "std": std, "values": values}


def stored_image(
    path: Path, settings: ImageSettings, mask: Path | None = None
) -> dict[str, np.ndarray] | str:
    """Reads a file as it is stored: ``image [C, H, W]``, bytes, with its mask as one more channel."""
    try:
        if mask is not None:
            return {"image": read_masked(path, mask, settings.size, settings.channels)}
        return {"image": read_image(path, settings.size, settings.channels)}
    except OSError as error:
        return cannot_open(path, error)


def read_masked(path: Path, mask: Path, size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """Reads an image ``[C, H, W]``, with its mask as one more channel.

    Raises:
        OSError: If a file cannot be opened.
        ValueError: If a file is damaged, or their sizes differ.
    """
    image, labels = read_image(path, None, channels), read_mask(mask)
    if labels.shape != image.shape[1:]:
        found, expected = (" x ".join(map(str, shape)) for shape in (labels.shape, image.shape[1:]))
        raise ValueError(f"{mask}: {found} pixels, expected {expected} as {path.name} has")
    if size is not None:
        image, labels = fit_image(image.transpose(1, 2, 0), size, channels), fit_mask(labels, size)
    return np.concatenate([image, labels[None]])
