"""Clouds of a split in tables, ``root/<split>.parquet``, or ``root/<any>.parquet`` with a column of splits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ccnn_geo.datasets.base.automatic_split import told_split
from ccnn_geo.datasets.base.class_folders import SPLITS, split_name
from ccnn_geo.datasets.base.layouts import Part, check_split
from ccnn_geo.io.cloud_table import EXTENSION, SPLIT, CloudTable, read_cloud_table
from ccnn_geo.io.files.left_out import list_names
from ccnn_geo.io.files.sample_files import is_hidden
from ccnn_geo.io.target_table import TABLE


def find_tables(root: Path) -> list[Path]:
    """Lists tables in a folder without a table of targets; they hold both samples and targets."""
    if not root.is_dir() or (root / TABLE).exists():
        return []
    return [
        path
        for path in sorted(root.iterdir())
        if path.suffix.lower() == EXTENSION and path.is_file() and not is_hidden(path.name)
    ]


def refuse_misplaced(root: Path) -> None:
    """Refuses tables in subfolders, because their meaning is unclear.

    Raises:
        ValueError: If there are any; says where tables belong.
    """
    inside = [path.relative_to(root) for path in sorted(root.glob(f"*/**/*{EXTENSION}")) if path.is_file()]
    names = [path.as_posix() for path in inside if not any(map(is_hidden, path.parts))]
    if names:
        raise ValueError(
            f"{root}: tables {list_names(names)} in folders, expected {root}/<split>{EXTENSION}, or one table in "
            f"{root} with a column {SPLIT!r}"
        )


class TableClouds:
    """Samples of each split in tables.

    Args:
        root: The folder of the tables.

    Raises:
        ValueError: If two tables mean the same split.
    """

    told = f"tables {EXTENSION}"

    def __init__(self, root: Path) -> None:
        self.root = root
        self._of_split = _by_split(root)

    @property
    def splits(self) -> list[str]:
        """Splits that have a table, or that the one table for all names.

        Raises:
            ValueError: If several tables have other names, or a split is unknown.
        """
        found = self._rows if self._whole is not None else self._of_split
        return [split for split in SPLITS if split in found]

    def part(self, split: str) -> Part:
        """Returns the table of a split, as a file."""
        check_split(self.root, split, self.splits)
        return Part([], [(self._whole or self._of_split[split], 0)])

    def samples(self, split: str) -> tuple[CloudTable, list[str]]:
        """Returns the table of a split, and the names of its samples.

        Raises:
            FileNotFoundError: If the split does not exist.
            ValueError: If a table is not as described.
        """
        path = self.part(split).paths[0]
        table = read_cloud_table(path)
        rows = self._rows[split] if self._whole is not None else range(len(table.names))
        return table, [table.names[i] for i in rows]

    def members(self, split: str, targets: Sequence[str] | None = None) -> Part:
        """Returns the samples of a split, a path for each, with their targets if columns are named.

        Raises:
            FileNotFoundError, ValueError: As :meth:`samples`, or if a sample has several values of a target.
        """
        table, names = self.samples(split)
        known = table.target_table(names, targets) if targets else None
        return Part([], [(table.path / name, 0) for name in names], known)

    @cached_property
    def _whole(self) -> Path | None:
        """The table for all; None if each split has one."""
        others = [path for name, path in self._of_split.items() if name not in SPLITS]
        if not others:
            return None
        if len(self._of_split) > 1:
            names = list_names([path.name for path in self._of_split.values()])
            raise ValueError(f"{self.root}: tables {names}, expected one, or one for each split")
        return others[0]

    @cached_property
    def _rows(self) -> dict[str, list[int]]:
        assert self._whole is not None, "one table for all"
        table = read_cloud_table(self._whole)
        if table.splits is None:
            rows = told_split(
                self.root, f"the samples of {self._whole.name}", [(name, 0) for name in table.names]
            )
            return {split: found for split, found in rows.items() if found}
        named = [split_name(name) for name in table.splits]
        wrong = [name for name in named if name not in SPLITS]
        if wrong:
            raise ValueError(f"{self._whole}: the {SPLIT} {wrong[0]!r}, expected one of {', '.join(SPLITS)}")
        rows = {split: [i for i, name in enumerate(named) if name == split] for split in SPLITS}
        return {split: found for split, found in rows.items() if found}


def _by_split(root: Path) -> dict[str, Path]:
    """Finds the table of each split; a table with another name goes by that name, and only one such is expected."""
    found: dict[str, Path] = {}
    for path in find_tables(root):
        split = split_name(path.stem)
        if split in SPLITS and split in found:
            raise ValueError(
                f"{root}: the tables {found[split].name!r} and {path.name!r} both mean the split {split}, expected "
                "one"
            )
        found[split if split in SPLITS else path.name] = path
    return found


def table_arrays(
    table: CloudTable, names: Sequence[str], targets: Sequence[str] | None, columns: Sequence[str]
) -> dict[str, np.ndarray]:
    """Reads samples as they are stored, see :mod:`~ccnn_geo.datasets.clouds.cloud_store`.

    Args:
        table: The table.
        names: Names of the samples.
        targets: Columns with one value in each sample; None for none, as with a field over points.
        columns: Other columns that are needed.

    Raises:
        ValueError: If the table lacks a column.
    """
    lacking = [name for name in columns if name not in table.fields]
    if lacking:
        raise ValueError(f"{table.path}: no {', '.join(lacking)}, the table has {', '.join(table.fields)}")
    parts = [table.rows(name) for name in names]
    index = np.concatenate([np.arange(part.start, part.stop) for part in parts])
    chosen = [table.fields[name][index] for name in columns]
    if any(np.isinf(values).any() for values in chosen):
        raise ValueError(f"{table.path}: Inf in {', '.join(columns)}, expected numbers")
    known = table.target_table(names, targets or ())
    return {
        "pos": table.pos[index],
        "values": np.stack(chosen, axis=1) if chosen else np.zeros((len(index), 0)),
        "offset": np.cumsum([0, *(part.stop - part.start for part in parts)]),
        "targets": known.values,
        "path": np.array([f"{table.path.name}/{name}" for name in names], dtype=np.str_),
        "names": np.array(known.names, dtype=np.str_),
        "units": np.array(known.units, dtype=np.str_),
    }
