"""How people sort files into splits and classes: found out here, for all data sets of folders.

In this order: folders of splits that hold a folder for each class; a table of files and labels in the root
(:mod:`~ccnn_geo.datasets.base.label_tables`); a folder for each class that holds folders of splits, as ModelNet has
them; a folder for each class, whose files are then split by their names. Whatever is none of these, or could be two, is
refused with what was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccnn_geo.datasets.base.automatic_split import split_by_name
from ccnn_geo.datasets.base.class_folders import (
    SPLITS,
    class_folders,
    named_folders,
    split_folders,
    split_name,
)
from ccnn_geo.datasets.base.label_tables import find_label_table, read_label_table
from ccnn_geo.io.files.left_out import list_names
from ccnn_geo.io.files.notices import say_once
from ccnn_geo.io.files.sample_files import FileKind, class_samples, is_hidden, printable

PROCESSED = "processed"
"""The folder in the root where data sets keep what they have prepared: no class."""

Sample = tuple[Path, int]


@dataclass(frozen=True)
class Part:
    """The files of a split.

    Args:
        classes: Names, in the order of the labels.
        samples: Files and the number of their class, class by class.
    """

    classes: list[str]
    samples: list[Sample]


class SplitsFirst:
    """``root/<split>/<class>/<file>``."""

    told = "<split>/<class>"

    def __init__(self, root: Path, kind: FileKind) -> None:
        self.root, self.kind = root, kind

    @property
    def splits(self) -> list[str]:
        """Those that have a folder."""
        return list(split_folders(self.root))

    def part(self, split: str) -> Part:
        """The files of a split, see :func:`~ccnn_geo.datasets.base.class_folders.class_folders`."""
        folders = class_folders(self.root, split)
        return Part(list(folders), class_samples(folders, self.kind))


class ClassesFirst:
    """``root/<class>/<split>/<file>``, as ModelNet is shipped: every class has the same splits."""

    told = "<class>/<split>"

    def __init__(self, root: Path, kind: FileKind, folders: Mapping[str, Path]) -> None:
        self.root, self.kind = root, kind
        self._found = {printable(folder.name): split_folders(folder) for folder in folders.values()}
        first, *others = self._found
        for name in others:
            if self._found[name].keys() != self._found[first].keys():
                splits = (", ".join(self._found[one]) for one in (first, name))
                raise ValueError(
                    f"{root}: classes must have the same splits; {first!r} has {next(splits)}, {name!r} has "
                    f"{next(splits)}"
                )
        self.splits = list(self._found[first])
        extra = [
            f"{folder.name}/{other}"
            for folder in folders.values()
            for other in named_folders(folder)
            if split_name(other) not in SPLITS
        ]
        if extra:
            say_once(f"{root}: not opened: {list_names(extra)}, no name of a split")

    def part(self, split: str) -> Part:
        """The files of a split.

        Raises:
            FileNotFoundError: If the classes have no such split.
            ValueError: For a split of another name, or a class without files.
        """
        check_split(self.root, split, self.splits)
        folders = {name: found[split] for name, found in self._found.items()}
        return Part(list(folders), class_samples(folders, self.kind, beside=False, root=self.root))


class NamedSamples:
    """Files whose classes and splits are all known: of a table, or split by their names."""

    def __init__(
        self, root: Path, told: str, classes: Sequence[str], parts: Mapping[str, Sequence[Sample]]
    ) -> None:
        self.root, self.told, self.classes = root, told, list(classes)
        self._parts = {split: list(parts[split]) for split in SPLITS if parts.get(split)}
        self.splits = list(self._parts)

    def part(self, split: str) -> Part:
        """The files of a split.

        Raises:
            FileNotFoundError: If there are none.
            ValueError: For a split of another name.
        """
        check_split(self.root, split, self.splits)
        return Part(self.classes, self._parts[split])


Layout = SplitsFirst | ClassesFirst | NamedSamples


def find_layout(root: Path, kind: FileKind) -> Layout:
    """How the files of a folder are sorted.

    Args:
        root: The folder.
        kind: The files that are read.

    Raises:
        FileNotFoundError: If there is no such folder, or nothing in it that is sorted in one of these ways.
        ValueError: If it is sorted in two ways, or a table cannot be read.
    """
    splits, table = split_folders(root), find_label_table(root)
    if any(named_folders(folder) for folder in splits.values()):
        if table is not None:
            say_once(f"{table}: not read, folders of splits and classes say the same")
        return SplitsFirst(root, kind)
    if table is not None:
        return _of_table(root, table, kind)
    folders = {name: folder for name, folder in named_folders(root).items() if folder.name != PROCESSED}
    if splits or not folders or split_name(root.name) in split_folders(root.parent):
        return SplitsFirst(root, kind)  # which says what is missing
    _refuse_folder_above(root, folders)
    inside = [name for name, folder in folders.items() if split_folders(folder)]
    if len(inside) == len(folders):
        return ClassesFirst(root, kind, folders)
    if inside:
        others = [name for name in folders if name not in inside]
        raise ValueError(
            f"{root}: folders of splits in {list_names(inside)}, none in {list_names(others)}; expected them in all "
            f"folders of classes, or in none"
        )
    return _of_classes(root, kind, folders)


def labelled_files(root: Path, split: str, kind: FileKind) -> Part:
    """The files of a split and their classes, however they are sorted.

    Args:
        root: The folder of the data.
        split: "train", "validation" or "test".
        kind: The files that are read.

    Raises:
        FileNotFoundError: If there is no such folder or split.
        ValueError: For a split of another name, a class without files, or a folder that can be understood in two ways.
    """
    return find_layout(root, kind).part(split)


def found_splits(root: Path, kind: FileKind | None) -> list[str]:
    """The splits that a folder has, in the order of :data:`~ccnn_geo.datasets.base.class_folders.SPLITS`.

    Args:
        root: The folder of the data.
        kind: The files that are read; None for data without classes of files, which have folders of splits alone.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: As :func:`find_layout`.
    """
    return list(split_folders(root)) if kind is None else find_layout(root, kind).splits


def check_split(root: Path, split: str, splits: Sequence[str]) -> None:
    """Refuses a split that is none, or that is not there."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if split not in splits:
        raise FileNotFoundError(f"{root}: no split {split!r}, found {', '.join(splits)}")


def _of_table(root: Path, table: Path, kind: FileKind) -> NamedSamples:
    rows = read_label_table(root, table, kind)
    whole = all(row.label.isdecimal() for row in rows)
    classes = sorted({row.label for row in rows}, key=int if whole else None)
    samples = {row.path: classes.index(row.label) for row in rows}
    if rows[0].split is None:
        return _split(root, f"the files of {table.name}", classes, sorted(samples.items(), key=_by_class))
    parts = {
        split: sorted(((row.path, samples[row.path]) for row in rows if row.split == split), key=_by_class)
        for split in SPLITS
    }
    return NamedSamples(root, table.name, classes, parts)


def _by_class(sample: Sample) -> tuple[int, Path]:
    return sample[1], sample[0]


def _of_classes(root: Path, kind: FileKind, folders: Mapping[str, Path]) -> NamedSamples:
    samples = class_samples({printable(f.name): f for f in folders.values()}, kind)
    return _split(root, "folders of classes", [printable(f.name) for f in folders.values()], samples)


def _split(root: Path, told: str, classes: Sequence[str], samples: Sequence[Sample]) -> NamedSamples:
    """Files that nobody has split."""
    parts = split_by_name([(path.relative_to(root).as_posix(), label) for path, label in samples])
    found = {split: [samples[i] for i in parts[split]] for split in SPLITS}
    counts = ", ".join(f"{len(found[split])} {split}" for split in SPLITS)
    say_once(
        f"{root}: {told} without splits; {len(samples)} files of {len(classes)} classes are split by their names, the "
        f"same on every machine: {counts}"
    )
    return NamedSamples(root, f"{told}, split by the names of the files", classes, found)


def _refuse_folder_above(root: Path, folders: Mapping[str, Path]) -> None:
    """An archive often unpacks into one folder, in which the data are."""
    only = next(iter(folders.values())) if len(folders) == 1 else None
    if only is not None and len([name for name in named_folders(only) if not is_hidden(name)]) > 1:
        raise FileNotFoundError(
            f"{root}: one folder, {only.name!r}, with the folders {list_names(list(named_folders(only)))} in it; "
            f"expected splits or classes. Is {only} the root?"
        )
