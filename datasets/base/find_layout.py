"""Finds out how a folder is sorted into splits and classes, for all data sets of folders.

It tries, in this order: a table of targets, for kinds of files that may have one
(:mod:`~ccnn_geo.datasets.base.target_files`); folders of splits that hold a folder for each class; a table of files and
labels in the root (:mod:`~ccnn_geo.datasets.base.label_tables`); a folder for each class that holds folders of splits,
as in ModelNet; a folder for each class, with files split by their names. It refuses a folder that fits none of these,
or two, and lists what it has found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ccnn_geo.datasets.base.automatic_split import told_split
from ccnn_geo.datasets.base.class_folders import PROCESSED, SPLITS, named_folders, split_folders, split_name
from ccnn_geo.datasets.base.label_tables import find_label_table, read_label_table
from ccnn_geo.datasets.base.layouts import ClassesFirst, NamedSamples, Part, Sample, SplitsFirst
from ccnn_geo.datasets.base.target_files import TargetFiles, has_targets
from ccnn_geo.io.files.left_out import list_names
from ccnn_geo.io.files.notices import say_once
from ccnn_geo.io.files.sample_files import FileKind, class_samples, list_samples, printable, tell_left_out

Layout = TargetFiles | SplitsFirst | ClassesFirst | NamedSamples


def find_layout(root: Path, kind: FileKind, targets: Sequence[str] | None = None) -> Layout:
    """Finds out how the files of a folder are sorted.

    Args:
        root: The folder.
        kind: The files that are read.
        targets: Names of columns of a table of targets, if there is one; None for all.

    Raises:
        FileNotFoundError: If the folder does not exist, or is sorted in none of these ways.
        ValueError: If it is sorted in two ways, or a table cannot be read.
    """
    if kind.with_targets and has_targets(root):
        return TargetFiles(root, kind, targets)
    splits, table = split_folders(root), find_label_table(root)
    if any(named_folders(folder) for folder in splits.values()):
        if table is not None:
            say_once(f"{table}: not read, folders of splits and classes say the same")
        return SplitsFirst(root, kind)
    if table is not None:
        return _of_table(root, table, kind)
    folders = {name: folder for name, folder in named_folders(root).items() if folder.name != PROCESSED}
    if splits or not folders or split_name(root.name) in split_folders(root.parent):
        return SplitsFirst(root, kind)  # reports what is missing
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


def labelled_files(root: Path, split: str, kind: FileKind, targets: Sequence[str] | None = None) -> Part:
    """Lists the files of a split with their classes or targets, however they are sorted.

    Args:
        root: The folder of the data.
        split: "train", "validation" or "test".
        kind: The files that are read.
        targets: As for :func:`find_layout`.

    Raises:
        FileNotFoundError: If the folder or the split does not exist.
        ValueError: For an unknown split, a class without files, or a folder that can be understood in two ways.
    """
    return find_layout(root, kind, targets).part(split)


def found_splits(root: Path, kind: FileKind | None) -> list[str]:
    """Lists the splits in a folder, in the order of :data:`~ccnn_geo.datasets.base.class_folders.SPLITS`.

    Args:
        root: The folder of the data.
        kind: The files that are read; None for data sorted only by folders of splits, without classes of files.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: As :func:`find_layout`.
    """
    return list(split_folders(root)) if kind is None else find_layout(root, kind).splits


def unsorted_files(root: Path, kind: FileKind, inside: str = "") -> NamedSamples:
    """Lists files without a class each: ``root/<split>/<inside>/**``, or ``root/<inside>``, split by their names.

    Args:
        root: The folder.
        kind: The files that are read.
        inside: A folder that holds all files, perhaps in folders of splits, ``root/<inside>/<split>/**``.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If there are no files.
    """
    kind = replace(kind, deep=True)
    splits = split_folders(root)
    folders = {split: folder / inside for split, folder in splits.items() if (folder / inside).is_dir()}
    if not folders and (root / inside).is_dir():
        folders = split_folders(root / inside)
    if not folders:
        listed = list_samples(root / inside, kind).paths
        paths = [path for path in listed if path.relative_to(root).parts[0] != PROCESSED]
        if not paths:
            raise ValueError(f"{root / inside}: no {kind.name}, expected {' '.join(kind.all_extensions)}")
        return _split(root, f"{inside or 'files'}", [], [(path, 0) for path in paths])
    parts = {}
    for split, folder in folders.items():
        found = list_samples(folder, kind)
        tell_left_out(folder, len(found.paths), {"": found.left_out}, kind)
        if not found.paths:
            raise ValueError(f"{folder}: no {kind.name}, expected {' '.join(kind.all_extensions)}")
        parts[split] = [(path, 0) for path in found.paths]
    place = next(iter(folders.values())).relative_to(root).parts
    told = "/".join("<split>" if split_name(name) in SPLITS else name for name in place)
    return NamedSamples(root, f"{told}/**", [], parts)


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
    """Splits files by their names."""
    files = [(path.relative_to(root).as_posix(), label) for path, label in samples]
    parts = told_split(root, told, files, len(classes))
    found = {split: [samples[i] for i in part] for split, part in parts.items()}
    return NamedSamples(root, f"{told}, split by the names of the files", classes, found)


def _refuse_folder_above(root: Path, folders: Mapping[str, Path]) -> None:
    """Refuses a folder whose only subfolder holds the data: archives often unpack into one folder."""
    only = next(iter(folders.values())) if len(folders) == 1 else None
    if only is not None and len(named_folders(only)) > 1:
        raise FileNotFoundError(
            f"{root}: one folder, {only.name!r}, with the folders {list_names(list(named_folders(only)))} in it; "
            f"expected splits or classes. Is {only} the root?"
        )
