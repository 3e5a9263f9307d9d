"""Which clouds a split has, and what is known of each: folders of splits, or one table for all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ccnn_geo.datasets.base.class_folders import SPLITS, split_folder, split_folders, split_name
from ccnn_geo.io.cloud_file import EXTENSIONS
from ccnn_geo.io.files.sample_files import FileKind, list_samples, tell_left_out
from ccnn_geo.io.target_table import TABLE, TargetTable, read_targets

CLOUDS = FileKind("clouds", EXTENSIONS, companions=(".csv",), deep=True)


def cloud_splits(root: Path) -> list[str]:
    """Splits that have a folder, or without folders those of the table.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the table is not as described.
    """
    folders = split_folders(root)
    if folders or not (root / TABLE).is_file():
        return list(folders)
    found = {split_name(name) for name in _splits_of(root / TABLE, read_targets(root / TABLE))}
    return [split for split in SPLITS if split in found]


def list_clouds(
    root: Path, split: str, targets: Sequence[str] | None, per_point: bool
) -> tuple[list[Path], TargetTable | None]:
    """Files of a split, and a row of targets for each.

    Args:
        root: The folder of the splits, or of one table for all.
        split: One of them.
        targets: Names of columns of the table; None for all of them.
        per_point: Whether the targets are in the files, and no table is needed.

    Raises:
        FileNotFoundError: If there is no such split, no table, or a file that the table names is not there.
        ValueError: If there are no files, or the table is not as described.
    """
    if split_folders(root) or per_point or not (root / TABLE).is_file():
        folder = split_folder(root, split)
        if per_point:
            return _all_files(folder), None
        place = folder if (folder / TABLE).is_file() else root
        table = _table(place, targets, folder)
        inside = [i for i, name in enumerate(table.files) if folder in (place / name).parents]
        return _named_files(place, table, inside, folder)
    table = _table(root, targets, root)
    chosen = [i for i, name in enumerate(_splits_of(root / TABLE, table)) if split_name(name) == split]
    if not chosen:
        raise FileNotFoundError(f"{root / TABLE}: no split {split!r}, expected some rows of it")
    return _named_files(root, table, chosen, root)


def _table(place: Path, targets: Sequence[str] | None, folder: Path) -> TargetTable:
    if not (place / TABLE).is_file():
        raise FileNotFoundError(
            f"{folder}: no {TABLE}, expected one there or in {place}, with columns 'file' and the targets; targets in "
            "the files themselves are named by point_targets"
        )
    return read_targets(place / TABLE, targets)


def _splits_of(path: Path, table: TargetTable) -> list[str]:
    if table.splits is None:
        raise ValueError(f"{path}: no column 'split', expected one, or folders {', '.join(SPLITS)} beside it")
    wrong = [name for name in table.splits if split_name(name) not in SPLITS]
    if wrong:
        raise ValueError(f"{path}: a split {wrong[0]!r}, expected one of {', '.join(SPLITS)}")
    return table.splits


def _named_files(
    place: Path, table: TargetTable, rows: Sequence[int], folder: Path
) -> tuple[list[Path], TargetTable]:
    paths = [place / table.files[i] for i in rows]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"{missing[0]}: no such file, which {place / TABLE} names")
    if not paths:
        raise ValueError(f"{place / TABLE}: no rows of files in {folder}, expected one or more")
    part = TargetTable(
        [table.files[i] for i in rows],
        None,
        table.names,
        table.units,
        table.values[np.asarray(rows, dtype=np.int64)],
    )
    return paths, part


def _all_files(folder: Path) -> list[Path]:
    found = list_samples(folder, CLOUDS)
    if not found.paths:
        raise ValueError(f"{folder}: no clouds, expected files {' '.join(EXTENSIONS)}")
    tell_left_out(folder, len(found.paths), {"": found.left_out}, CLOUDS)
    return found.paths
