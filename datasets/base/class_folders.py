"""Folders of splits and classes: ``root/<split>/<class>``, however people call the splits."""

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
"""Names, in lower case, that people give to splits, and the split that each is."""

PROCESSED = "processed"
"""The folder in the root where data sets keep what they have prepared: no class."""

_EITHER = ("eval", "evaluation", "holdout", "held_out")  # for validation or for testing: who knows


def split_name(name: str) -> str:
    """The split that people call so, in upper or lower case; any other name as it is.

    Example:
        >>> [split_name(name) for name in ("val", "Dev", "training", "extra")]
        ['validation', 'validation', 'train', 'extra']
    """
    return ALIASES.get(name.casefold(), name)


def split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split that is there, in the order of :data:`SPLITS`; by name, in upper or lower case.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If two folders are of one split.
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
                f"{root}: the folders {found[split].name!r} and {folder.name!r} are both of the split {split}, "
                f"expected one"
            )
        found[split] = folder
    return {split: found[split] for split in SPLITS if split in found}


def split_folder(root: Path, split: str, ways: str = "") -> Path:
    """The folder of a split.

    Args:
        root: That of all splits.
        split: Its name.
        ways: Other ways to sort files, told where there are no splits at all.

    Raises:
        FileNotFoundError: If there is no such folder or split.
        ValueError: For a split of another name than :data:`SPLITS`, or if two folders are of one split.
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
    r"""The folder of each class in ``root/<split>``; the classes must be those of the other splits too.

    Names that differ in their Unicode form alone, as those of macOS and Linux do, are one class, called as in the
    first split. Bytes of a name that are no text are written as Python does, ``\\udce9``.

    Raises:
        FileNotFoundError: If there is no such folder or split.
        ValueError: For a split of another name, without classes, or with others than there are elsewhere.
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
    """The folders in a folder, by the composed form of their names, in the order of the names as they are.

    Raises:
        ValueError: If two names differ in their Unicode form alone.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or is_hidden(path.name):
            continue
        name = printable(unicodedata.normalize("NFC", path.name))
        if name in found:
            raise ValueError(
                f"{folder}: two folders {name!r} that differ in their Unicode form alone, {found[name].name!a} "
                f"and {path.name!a}; expected one"
            )
        found[name] = path
    return found


def tell_other_folders(root: Path, classes: Collection[str] | None = None) -> None:
    """Warns of folders that may be a split that is missing, but have not its name.

    Args:
        root: The folder of the splits.
        classes: Folders that a split has; None if a split has none.
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
            f"{root}: not opened: {', '.join(doubtful)}, no name of a split; expected {', '.join(missing)} "
            f"(or val, valid, dev for validation)"
        )
