"""A user's own images: sorted into classes, with targets, or with a mask each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from ccnn_geo.datasets.base.find_layout import Layout
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.base.truths import answers_of, truths_of
from ccnn_geo.datasets.images.image_files import IMAGES, has_masks, image_layout, masks_of
from ccnn_geo.datasets.images.image_store import ImageSettings, MaskLabels, StoredImages, stored_images
from ccnn_geo.datasets.images.images import ImageDataset
from ccnn_geo.datasets.images.mask_classes import IGNORED, mask_classes


class ImageFolder(ImageDataset):
    """Images in ``root/<split>/<class>/<file>``, split train, validation (also val, valid, dev) or test; needs Pillow.

    :mod:`~ccnn_geo.datasets.base.find_layout` lists other ways to sort files. With a table of targets,
    :mod:`~ccnn_geo.datasets.base.target_files`, networks learn numbers for each image. With ``images`` and ``masks`` in
    the folders of splits, or in the root, they learn a class for each pixel: the number at that place in the mask of
    the same name, in its palette or its grey.

    PNG, JPEG, BMP, GIF, WebP, TIFF and PPM may be mixed; a warning counts other files, except hidden ones. Images are
    decoded once, in parallel, stored as bytes, and used again as long as names, sizes and dates of the files stay the
    same. Samples are normalised by mean and deviation of each channel over ``root/train``. All existing splits must
    have the same classes; without a folder for validation, hold out a share of train with
    :func:`~ccnn_geo.datasets.stratified_split`.

    Args:
        root: The folder of the splits.
        split: One of the existing splits.
        size: (H, W), or one number for both: images are scaled to cover it and cropped around their centre. None
            keeps their sizes, which must all be the same.
        channels: 3 for colour, 1 for grey.
        mean: Mean of each channel, for values in [0, 1] (default: that of ``root/train``).
        std: Deviation of each channel, given together with the mean.
        targets: Names of columns of the table of targets; None for all.
        classes: Names of the classes in masks, in the order of the numbers from 0, or by number. By default the lines
            of ``root/classes.txt`` in that order, or without that file the numbers in the training masks.
        ignored: Number in masks that is not a class; None if all are.
        cache: Folder of the stored images (default ``root/processed/image_folder``).
        num_workers: Processes that decode (default: by the amount of data).
        download: Not used, there is nothing to download; kept for the common interface.
        checksum: Likewise.
        transform: Applied to each image ``[C, H, W]`` at every access. Only for training.

    Shapes:
        ``dataset[i]`` is ``(image [C, H, W], label)``, with targets ``(image, [T])``, with masks ``(image, [H, W])``,
        with -1 for no label.

    Raises:
        FileNotFoundError: If the folder or the split does not exist, or there is no ``root/train`` to normalise with.
        ValueError: For arguments out of range, a class without images, an image without a mask, splits with different
            classes or sizes, and files that cannot be used, listed by the kind of error.

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
        title="your own images: <split>/<class>/<file>, with targets.csv, or <split>/images and <split>/masks",
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
        targets: Sequence[str] | None = None,
        classes: Sequence[str] | Mapping[int, str] | None = None,
        ignored: int | None = IGNORED,
        cache: str | PathLike[str] | None = None,
        num_workers: int | None = None,
        download: bool = True,
        checksum: str | None = "published",
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        root = Path(root).expanduser()
        pair: Any = (size, size) if isinstance(size, int) else None if size is None else tuple(size)
        _check(pair, channels, mean, std)  # also checks that the pair is two numbers
        home = root / "processed" / self.info.folder if cache is None else Path(cache).expanduser()
        layout, masked = image_layout(root, targets), has_masks(root)
        part = layout.part(split)

        def stored(split: str) -> StoredImages:
            paths = layout.part(split).paths
            masks = masks_of(root, paths) if masked else None
            return stored_images(root, split, paths, masks, ImageSettings(pair, channels), home, num_workers)

        found = train = stored(split)
        if masked or mean is None or std is None:
            if "train" not in layout.splits:
                raise FileNotFoundError(f"{root}: no folder 'train' to normalise with; pass mean and std")
            train = found if split == "train" else stored("train")
            if train.shape != found.shape:
                raise ValueError(
                    f"{root}: images of train are {[channels, *train.shape]}, of {split} "
                    f"{[channels, *found.shape]}; give a size for all"
                )
        if mean is None or std is None:
            mean, std = train.mean, train.std
        names, more = part.classes, answers_of(part)
        if masked:
            named = mask_classes(root, classes, ignored, train.values, found.values, found.first_with)
            names, codes = list(named.values()), tuple(named)
            more = {"codes": codes, "cells": MaskLabels(found.rows, codes)}
        super().__init__(found.images, part.y, names, mean, std, transform=transform, **more)
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))
        self._names = found.names

    @staticmethod
    def truths(root: Path, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """Returns the task of the files of a folder, and the place of the predictions."""
        return ("segmentation", "node") if has_masks(root) else truths_of(root)

    @staticmethod
    def layout(root: Path, arguments: Mapping[str, Any]) -> Layout:
        """Finds out how the files of a folder are sorted."""
        return image_layout(root, arguments.get("targets"))

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
