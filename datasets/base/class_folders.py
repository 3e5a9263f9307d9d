"""Folders of splits and classes, ``root/<split>/<class>``, under any common name of a split."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from pathlib import Path

from ccnn_geo.io.files.left_out import list_names
from ccnn_geo.io.files.notices import say_once
from ccnn_geo.io.files.sample_files import is_hidden, printable

SPLITS = ("train", "validation", "test")
ALIASES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "val", "valid", "validate", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Common names of splits, in lower case, and the split that each means."""

PROCESSED = "processed"
"""The folder in the root where data sets keep prepared files; never a class."""

_EITHER = ("eval", "evaluation", "holdout", "held_out")  # could be validation or test


def split_name(name: str) -> str:
    """Returns the split that a name means, in upper or lower case; any other name unchanged.

    Example:
        >>> [split_name(name) for name in ("val", "Dev", "training", "extra")]
        ['validation', 'validation', 'train', 'extra']
    """
    return ALIASES.get(name.casefold(), name)


def split_folders(root: Path) -> dict[str, Path]:
    """Finds the folder of each split by its name, in upper or lower case, in the order of :data:`SPLITS`.

    Raises:
        FileNotFoundError: If the root does not exist.
        ValueError: If two folders mean the same split.
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f"{root}: no such folder, expected {root}/<split>, split one of {', '.join(SPLITS)}"
        )
    found: dict[str, Path] = {}
    for folder in sorted(root.iterdir()):
        split = split_name(folder.name)
        if split not in SPLITS or not folder.is_dir():
            continue
        if split in found:
            raise ValueError(
                f"{root}: the folders {found[split].name!r} and {folder.name!r} both mean the split {split}, "
                f"expected one"
            )
        found[split] = folder
    return {split: found[split] for split in SPLITS if split in found}


def split_folder(root: Path, split: str, ways: str = "") -> Path:
    """The folder of a split.

    Args:
        root: The folder that holds the splits.
        split: Its name.
        ways: Other ways to sort files, named in the error if there are no splits at all.

    Raises:
        FileNotFoundError: If the root or the split does not exist.
        ValueError: If the split is not one of :data:`SPLITS`, or two folders mean the same split.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    found = split_folders(root)
    if split not in found:
        names = ", ".join(folder.name for folder in found.values())
        is_split = not found and split_folders(root.parent).get(split) == root
        other = "" if found else ways
        if is_split:
            other = f", or for the root {root.parent}"
        raise FileNotFoundError(
            f"{root}: no split {split!r}, found {names or 'none'}; expected the folder {root / split}{other}"
        )
    return found[split]


def class_folders(root: Path, split: str) -> dict[str, Path]:
    r"""Finds the folder of each class in ``root/<split>``; all splits must have the same classes.

    Names that differ only in their Unicode form, as between macOS and Linux, are one class, named as in the first
    split. Bytes of a name that are not text are written as Python writes them, ``\\udce9``.

    Raises:
        FileNotFoundError: If the root or the split does not exist.
        ValueError: For an unknown split, a split without classes, or classes that differ between splits.
    """
    ways = (
        f" with one of each class, {root}/<split>/<class>/, or {root}/<class>/ to be split by names of files"
    )
    folder = split_folder(root, split, ways)
    found = {name: named_folders(place) for name, place in split_folders(root).items()}
    here = found[split]
    if not here:
        raise ValueError(f"{folder}: no classes, expected a folder for each")
    for other, there in found.items():
        unlike = ((split, here.keys() - there.keys(), other), (other, there.keys() - here.keys(), split))
        told = [
            f"in {one} but not in {another}: {list_names(sorted(names), 10)}"
            for one, names, another in unlike
            if names
        ]
        if told:
            raise ValueError(f"{root}: splits must have the same classes; {'; '.join(told)}")
    tell_other_folders(root, here)
    first = next(iter(found.values()))
    return {printable(place.name): here[name] for name, place in first.items()}


def named_folders(folder: Path) -> dict[str, Path]:
    """Lists the folders in a folder by the composed form of their names, in the order of the original names.

    Raises:
        ValueError: If two names differ only in their Unicode form.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or is_hidden(path.name):
            continue
        name = printable(unicodedata.normalize("NFC", path.name))
        if name in found:
            raise ValueError(
                f"{folder}: two folders {name!r} that differ only in their Unicode form, {found[name].name!a} "
                f"and {path.name!a}; expected one"
            )
        found[name] = path
    return found


def tell_other_folders(root: Path, classes: Collection[str] | None = None) -> None:
    """Warns of folders that may be a missing split under an unknown name.

    Args:
        root: The folder of the splits.
        classes: Folders in each split; None if a split has none.
    """
    missing = [split for split in SPLITS if split not in split_folders(root)]
    others = [
        folder
        for folder in sorted(root.iterdir())
        if missing
        and folder.is_dir()
        and split_name(folder.name) not in SPLITS
        and not is_hidden(folder.name)
    ]
    doubtful = [
        folder.name
        for folder in others
        if folder.name.casefold() in _EITHER or (classes and set(classes) <= named_folders(folder).keys())
    ]
    if doubtful:
        say_once(
            f"{root}: not opened: {', '.join(doubtful)}, not the name of a split; expected {', '.join(missing)} "
            f"(or val, valid, dev for validation)"
        )
