"""Finds the images of a split, each with a class, a row of targets, or a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ccnn_geo.datasets.base.class_folders import split_folders
from ccnn_geo.datasets.base.find_layout import Layout, find_layout, unsorted_files
from ccnn_geo.io.files.left_out import list_names
from ccnn_geo.io.files.notices import say_once
from ccnn_geo.io.files.sample_files import FileKind, list_samples
from ccnn_geo.io.image import EXTENSIONS

IMAGES = FileKind("images", EXTENSIONS, with_targets=True)

IMAGE, MASK = "images", "masks"
"""Names of the folders, side by side, of images and of the labels of their pixels."""


def has_masks(root: Path) -> bool:
    """Whether a folder, or the folder of a split in it, has folders of images and of masks."""
    if not root.is_dir():
        return False
    places = (root, *split_folders(root).values())
    return any((place / IMAGE).is_dir() and (place / MASK).is_dir() for place in places)


def image_layout(root: Path, targets: Sequence[str] | None = None) -> Layout:
    """Finds out how images are sorted.

    Args:
        root: The folder.
        targets: Names of columns of a table of targets, if there is one; None for all.

    Raises:
        FileNotFoundError: If the folder does not exist, or nothing in it is sorted in a known way.
        ValueError: If it is sorted in two ways, or a table cannot be read.
    """
    return unsorted_files(root, IMAGES, IMAGE) if has_masks(root) else find_layout(root, IMAGES, targets)


def masks_of(root: Path, paths: Sequence[Path]) -> list[Path]:
    """Finds the mask of each image: the same name without its extension, in the folder of masks.

    Raises:
        ValueError: If an image has none, or several.
    """
    folders = dict.fromkeys(_beside(root, path)[0] for path in paths)
    kind = FileKind("masks", EXTENSIONS, deep=True)
    listed = [path for folder in folders if folder.is_dir() for path in list_samples(folder, kind).paths]
    known = {path.with_suffix(""): path for path in listed}
    twice = [path for path in listed if known[path.with_suffix("")] != path]
    if twice:
        other = known[twice[0].with_suffix("")]
        raise ValueError(f"{root}: the masks {twice[0]} and {other.name}, expected one for an image")
    wanted = [_beside(root, path)[1] for path in paths]
    lacking = [path for path, mask in zip(paths, wanted, strict=True) if mask not in known]
    if lacking:
        example = _beside(root, lacking[0])[1]
        raise ValueError(
            f"{root}: {len(lacking)} of {len(paths)} images have no mask, such as {lacking[0]}, expected "
            f"{example}.png"
        )
    kind = replace(IMAGES, deep=True)
    images = [path for folder in folders for path in list_samples(folder.with_name(IMAGE), kind).paths]
    others = sorted(known.keys() - {_beside(root, path)[1] for path in images})
    if others:
        say_once(f"{root}: masks without an image: {list_names([known[name].name for name in others])}")
    return [known[name] for name in wanted]


def _beside(root: Path, path: Path) -> tuple[Path, Path]:
    """The folder of masks for an image, and the mask's name there without its extension."""
    parts = list(path.relative_to(root).parts)
    place = parts.index(IMAGE)
    parts[place] = MASK
    return root.joinpath(*parts[: place + 1]), root.joinpath(*parts).with_suffix("")
