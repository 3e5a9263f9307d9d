"""Images of a split, and their masks, decoded once into one array in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.datasets.base.processing import digest
from ccnn_geo.datasets.base.workers import mapper
from ccnn_geo.io.files.grouped_errors import group_errors
from ccnn_geo.io.files.mapped import MappedArray, write_rows
from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.sample_files import cannot_open, stamps
from ccnn_geo.io.files.storage import exclusive, read_arrays, write_atomic
from ccnn_geo.io.image import fit_image, fit_mask, read_image, read_mask


@dataclass(frozen=True)
class ImageSettings:
    """What decides the stored bytes.

    Args:
        size: (H, W) to which images are scaled and cropped; None if all are alike.
        channels: 3 for colour, 1 for grey.
    """

    size: tuple[int, int] | None
    channels: int


class StoredImages:
    """What is stored of the images of a split.

    Args:
        target: The table; the pixels lie beside it.
        channels: Of the images; a mask is one more.
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
        """Numbers that are somewhere in masks."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image, ``(H, W)``."""
        return tuple(self.rows.shape[2:])

    def first_with(self, values: Sequence[int]) -> str:
        """Name of an image whose mask has one of such numbers."""
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
    """Labels of pixels, ``[H, W]`` int64 for each image: the place of a mask's number among the codes, or -1."""

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
    """What is stored of some images; decodes them unless it is there.

    Args:
        root: From which they are named.
        split: For the name of what is stored.
        paths: The files.
        masks: Those of the labels of their pixels; None for none.
        settings: What decides the stored bytes.
        home: The folder.
        num_workers: Processes that decode; None for as many as are worth their start.

    Raises:
        ValueError: If some cannot be used; they are named by kind.
    """
    names = [path.relative_to(root).as_posix() for path in paths]
    key = digest(names, stamps(paths), settings, *([] if masks is None else [stamps(masks)]))
    target = home / f"{split}-{key}.npz"
    if not target.exists():
        with exclusive(home, target.name):
            if not target.exists():
                measured = _decode(paths, masks, settings, num_workers, target.with_suffix(".npy"))
                table: dict[str, Any] = {"name": np.array(names), **measured}
                write_atomic(target, partial(np.savez, **table))  # the last of the two to be written
    return StoredImages(target, settings.channels)


def _decode(
    paths: Sequence[Path],
    masks: Sequence[Path] | None,
    settings: ImageSettings,
    num_workers: int | None,
    target: Path,
) -> dict[str, np.ndarray]:
    """Writes all images to a file; returns mean and deviation of the channels, and how often masks have each number."""
    for stale in target.parent.glob(f".{target.name}.*.tmp"):  # of a process that was killed
        stale.unlink(missing_ok=True)
    beside: Sequence[Path | None] = [None] * len(paths) if masks is None else masks
    pairs = list(zip(paths, beside, strict=True))
    tried = (try_image(path, settings.size, settings.channels, mask) for path, mask in pairs)
    depth = settings.channels + (masks is not None)
    shape = next((image.shape for image in tried if not isinstance(image, str)), (depth, 0, 0))
    moments: list[np.ndarray] = []
    values = np.zeros(256, np.int64)

    def images() -> Iterator[np.ndarray]:
        errors = []
        for path, image in zip(paths, _decoded(pairs, settings, num_workers), strict=True):
            if isinstance(image, str):
                errors.append(image)
            elif image.shape != shape:
                found, first = (" x ".join(map(str, s[1:])) for s in (image.shape, shape))
                errors.append(f"{path}: {found} pixels, the first image has {first}; give a size for all")
            else:
                colours = image[: settings.channels].reshape(settings.channels, -1) / 255
                moments.append(np.stack([colours.mean(1), (colours**2).mean(1)]))
                if masks is not None:
                    np.add(values, np.bincount(image[-1].ravel(), minlength=256), out=values)
                yield image
        if errors:
            shown = "\n  ".join(group_errors(errors))
            raise ValueError(f"{len(errors)} of {len(paths)} images cannot be used:\n  {shown}")

    write_rows(target, np.uint8, (len(paths), *shape), images())
    mean, square = np.mean(moments, axis=0)
    std = np.sqrt(np.maximum(square - mean**2, 0))
    std = np.where(std < 1 / 255, 1, std)  # a channel of one value is only moved
    return {"mean": mean, "std": std, "values": values}


def _decoded(
    pairs: Sequence[tuple[Path, Path | None]], settings: ImageSettings, num_workers: int | None
) -> Iterator[np.ndarray | str]:
    paths, masks = ([pair[i] for pair in pairs] for i in range(2))
    if num_workers is None:  # starting a process costs seconds: one for every 32 MB to read
        work = sum(path.stat().st_size for path, _ in pairs) // 2**25
        num_workers = min(work, os.cpu_count() or 1) if work > 1 else 0
    sizes, channels = [settings.size] * len(pairs), [settings.channels] * len(pairs)
    with mapper(num_workers) as call, progress(total=len(pairs), title="images") as bar:
        for image in call(try_image, paths, sizes, channels, masks):
            bar.update()
            yield image


def try_image(
    path: Path, size: tuple[int, int] | None, channels: int, mask: Path | None = None
) -> np.ndarray | str:
    """An image ``[C, H, W]``, its mask as one more channel, or what is wrong: one bad file must not hide the others."""
    try:
        return read_image(path, size, channels) if mask is None else read_masked(path, mask, size, channels)
    except ValueError as error:
        return str(error)
    except OSError as error:
        return cannot_open(Path(error.filename or path), error)


def read_masked(path: Path, mask: Path, size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """An image ``[C, H, W]``, and its mask as one more channel.

    Raises:
        OSError: If a file cannot be opened.
        ValueError: If one is not sound, or they are of two sizes.
    """
    image, labels = read_image(path, None, channels), read_mask(mask)
    if labels.shape != image.shape[1:]:
        found, expected = (" x ".join(map(str, shape)) for shape in (labels.shape, image.shape[1:]))
        raise ValueError(f"{mask}: {found} pixels, expected {expected} as {path.name} has")
    if size is not None:
        image, labels = fit_image(image.transpose(1, 2, 0), size, channels), fit_mask(labels, size)
    return np.concatenate([image, labels[None]])
