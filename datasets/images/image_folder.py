"""A user's own images, sorted into folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ccnn_geo.datasets.base.conversion import Results, convert, refuse
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.find_layout import found_splits, labelled_files
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.images.images import ImageDataset
from ccnn_geo.io.files.mapped import MappedArray, write_rows
from ccnn_geo.io.files.sample_files import FileKind, stamps
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.image import EXTENSIONS, read_image

IMAGES = FileKind("images", EXTENSIONS)


class ImageFolder(ImageDataset):
    """Images in ``root/<split>/<class>/<file>``, split train, validation (also val, valid, dev) or test; needs Pillow.

    Other ways to sort files are those of :mod:`~ccnn_geo.datasets.base.find_layout`.
    PNG, JPEG, BMP, GIF, WebP, TIFF and PPM may occur side by side; a warning counts other files, but for hidden ones.
    They are decoded once, in parallel, and stored as bytes, and used again as long as names, sizes and dates of the
    files stay. A sample is normalised with mean and deviation of each channel over ``root/train``. All splits that
    exist must have the same classes; for validation without a folder of its own hold out a part of train with
    :func:`~ccnn_geo.datasets.stratified_split`.

    Args:
        root: The folder of the splits.
        split: One of those that exist.
        size: (H, W), or one number for both: images are scaled to cover it and cropped around their centre. None
            keeps them; then all must be alike.
        channels: 3 for colour, 1 for grey.
        mean: Mean of each channel, of values in [0, 1] (default: of ``root/train``).
        std: Deviation of each channel, given together with the mean.
        cache: Where the images are stored (default ``root/processed/image_folder``).
        num_workers: Processes that decode (default: by the amount of data).
        download: Of no effect, as of every data set of the user's own files.
        checksum: Of no effect.
        transform: Applied to each image ``[C, H, W]`` at every access. Only for training.

    Shapes:
        ``dataset[i]`` is ``(image [C, H, W], label)``.

    Raises:
        FileNotFoundError: If there is no such folder or split, or no ``root/train`` to normalise with.
        ValueError: For arguments out of range, a class without images, splits of different classes or sizes, and
            files that cannot be used, which are named by kind.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name in ("cat", "dog"):
        ...         Path(root, "train", name).mkdir(parents=True)
        ...         _ = Path(root, "train", name, "0.ppm").write_bytes(b"P6 2 2 255 " + bytes(range(12)))
        ...     train = ImageFolder(root)
        >>> train, train.names
        (ImageFolder(2 samples [3, 2, 2], 2 classes), ['train/cat/0.ppm', 'train/dog/0.ppm'])
    """

    info = DatasetInfo(
        name="image_folder",
        title="your own images, <split>/<class>/<file>",
        family="image",
        in_channels=None,
        size=None,
        classes=0,
        folder="image_folder",
        many_files=True,
        source="your files",
    )
    kind = IMAGES

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        size: int | tuple[int, int] | None = None,
        channels: int = 3,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        cache: str | PathLike[str] | None = None,
        num_workers: int | None = None,
        download: bool = True,
        checksum: str | None = "published",
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        root = Path(root).expanduser()
        pair: Any = (size, size) if isinstance(size, int) else None if size is None else tuple(size)
        _check(pair, channels, mean, std)  # of the pair that it is two numbers, too
        home = root / "processed" / self.info.folder if cache is None else Path(cache).expanduser()
        classes = labelled_files(root, split, self.kind).classes
        open_part = partial(_stored, root, pair, channels, home, num_workers)
        part = open_part(split)
        if mean is None or std is None:
            if "train" not in found_splits(root, self.kind):
                raise FileNotFoundError(f"{root}: no folder 'train' to normalise with; pass mean and std")
            train = part if split == "train" else open_part("train")
            mean, std = train["mean"], train["std"]
            if train["images"].shape[1:] != part["images"].shape[1:]:
                raise ValueError(
                    f"{root}: images of train are {list(train['images'].shape[1:])}, of {split} "
                    f"{list(part['images'].shape[1:])}; give a size for all"
                )
        super().__init__(part["images"], part["y"], classes, mean, std, transform=transform)
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))
        self._names = part["name"].tolist()

    @property
    def names(self) -> list[str]:
        """Names of the files, relative to the root."""
        return [self._names[i] for i in self._index]


def _check(
    size: tuple[int, ...] | None, channels: int, mean: Sequence[float] | None, std: Sequence[float] | None
) -> None:
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ValueError(f"size: expected (H, W) of at least 1, got {size}")
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, got {channels}")
    if mean is None or std is None:
        if mean is not std:
            raise ValueError(f"mean and std are given together, got mean={mean} and std={std}")
    elif len(mean) != channels or len(std) != channels or min(std) <= 0:
        raise ValueError(f"mean and std: expected {channels} numbers, std above 0, got {mean} and {std}")


def _stored(
    root: Path,
    size: tuple[int, int] | None,
    channels: int,
    home: Path,
    num_workers: int | None,
    split: str,
) -> dict[str, Any]:
    """What is stored of a folder of images; decodes them unless it is there."""
    paths, y = zip(*labelled_files(root, split, IMAGES).samples, strict=True)
    names = [path.relative_to(root).as_posix() for path in paths]
    target = home / f"{split}-{digest(names, stamps(paths), size, channels)}.npz"
    pixels = target.with_suffix(".npy")

    def merge(found: Results) -> None:
        moments = _write_pixels(found, paths, channels, pixels)
        table: dict[str, Any] = {"y": np.array(y), "name": np.array(names), **moments}
        write_atomic(target, partial(np.savez, **table))  # the last of the two to be written

    columns = (paths, [size] * len(paths), [channels] * len(paths))
    convert(stored_image, columns, target, merge, title="images", num_workers=num_workers)
    return read_arrays(target, ("y", "name", "mean", "std")) | {"images": MappedArray(pixels)}


def _write_pixels(
    found: Results, paths: Sequence[Path], channels: int, target: Path
) -> dict[str, np.ndarray]:
    """Writes all images to a file; returns mean and deviation of the channels."""
    shape = next((one["image"].shape for one in found if not isinstance(one, str)), (channels, 0, 0))
    moments: list[np.ndarray] = []

    def images() -> Iterator[np.ndarray]:
        errors = []
        for path, one in zip(paths, found, strict=True):
            if isinstance(one, str):
                errors.append(one)
            elif one["image"].shape != shape:
                other, first = (" x ".join(map(str, s[1:])) for s in (one["image"].shape, shape))
                errors.append(f"{path}: {other} pixels, the first image has {first}; give a size for all")
            else:
                values = one["image"].reshape(channels, -1) / 255
                moments.append(np.stack([values.mean(1), (values**2).mean(1)]))
                yield one["image"]
        refuse(errors, len(paths), "images")

    write_rows(target, np.uint8, (len(paths), *shape), images())
    mean, square = np.mean(moments, axis=0)
    std = np.sqrt(np.maximum(square - mean**2, 0))
    return {"mean": mean, "std": np.where(std < 1 / 255, 1, std)}  # a channel of one value is only moved


def stored_image(path: Path, size: tuple[int, int] | None, channels: int) -> dict[str, np.ndarray]:
    """What is stored of a file: ``image [C, H, W]``, bytes."""
    return {"image": read_image(path, size, channels)}
