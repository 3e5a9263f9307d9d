"""Files with a table of their targets, ``targets.csv``: in the folder of each split, or one for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ccnn_geo.datasets.base.automatic_split import told_split
from ccnn_geo.datasets.base.class_folders import PROCESSED, SPLITS, split_folder, split_folders, split_name
from ccnn_geo.datasets.base.layouts import Part, check_split
from ccnn_geo.io.files.notices import say_once
from ccnn_geo.io.files.sample_files import FileKind, list_samples, printable
from ccnn_geo.io.target_table import TABLE, TargetTable, read_targets


def has_targets(root: Path) -> bool:
    """Whether there is a table of targets in a folder, or in a folder of a split in it."""
    if not root.is_dir():
        return False
    return any((folder / TABLE).is_file() for folder in (root, *split_folders(root).values()))


class TargetFiles:
    """Files listed by tables of targets.

    With folders of splits, each has a table with names relative to it, or one table in the root serves all, with
    names relative to the root. Without folders, the column ``split`` gives the split of each file; without that
    column, files are split by their names.

    Args:
        root: The folder.
        kind: The files that are read.
        targets: Names of columns; None for all.
    """

    told = TABLE

    def __init__(self, root: Path, kind: FileKind, targets: Sequence[str] | None = None) -> None:
        self.root, self.kind, self.targets = root, kind, targets
        self._folders = split_folders(root)

    @property
    def splits(self) -> list[str]:
        """Splits that have a folder, or without folders those of the table.

        Raises:
            ValueError: If the table is not as described.
        """
        return list(self._folders or self._rows)

    def part(self, split: str) -> Part:
        """Lists the files of a split, with a row of targets for each.

        Raises:
            FileNotFoundError: If the split or the table does not exist, or a file in the table is missing.
            ValueError: If there are no files, or the table is not as described.
        """
        if not self._folders and (self.root / TABLE).is_file():
            check_split(self.root / TABLE, split, self.splits)
            part = self._named(self.root, self._table, self._rows[split], self.root)
            self._tell_others(self.root, self._table, self.root)
            return part
        folder = split_folder(self.root, split)
        place = folder if (folder / TABLE).is_file() else self.root
        if not (place / TABLE).is_file():
            raise FileNotFoundError(
                f"{folder}: no {TABLE}, expected one there or in {place}, with columns 'file' and the targets"
            )
        table = read_targets(place / TABLE, self.targets)
        inside = [i for i, name in enumerate(table.files) if folder in (place / name).parents]
        part = self._named(place, table, inside, folder)
        self._tell_others(place, table, folder)
        return part

    @cached_property
    def _table(self) -> TargetTable:
        """The table for all splits."""
        return read_targets(self.root / TABLE, self.targets)

    @cached_property
    def _rows(self) -> dict[str, list[int]]:
        """Rows of each split in the table for all."""
        table = self._table
        if table.splits is None:
            rows = told_split(self.root, f"the files of {TABLE}", [(name, 0) for name in table.files])
            return {split: found for split, found in rows.items() if found}
        wrong = [name for name in table.splits if split_name(name) not in SPLITS]
        if wrong:
            raise ValueError(
                f"{self.root / TABLE}: the split {wrong[0]!r}, expected one of {', '.join(SPLITS)}"
            )
        named = [split_name(name) for name in table.splits]
        rows = {split: [i for i, name in enumerate(named) if name == split] for split in SPLITS}
        return {split: found for split, found in rows.items() if found}

    def _named(self, place: Path, table: TargetTable, rows: Sequence[int], folder: Path) -> Part:
        if not rows:
            raise ValueError(f"{place / TABLE}: no rows of files in {folder}, expected one or more")
        paths = [place / table.files[i] for i in rows]
        for path in paths:
            if path.suffix.lower() not in self.kind.all_extensions:
                raise ValueError(
                    f"{place / TABLE}: {path.name} is not a file of {self.kind.name}, expected "
                    f"{' '.join(self.kind.all_extensions)}"
                )
            if not path.is_file():
                raise FileNotFoundError(f"{path}: no such file, but {place / TABLE} lists it")
        return Part([], [(path, 0) for path in paths], table.rows(rows))

    def _tell_others(self, place: Path, table: TargetTable, folder: Path) -> None:
        """Reports once how many files in a folder have no row."""
        named = {place / name for name in (*table.files, TABLE)}
        found = list_samples(folder, replace(self.kind, deep=True)).paths
        others = [
            path.relative_to(folder)
            for path in found
            if path not in named and path.relative_to(self.root).parts[0] != PROCESSED
        ]
        if others:
            say_once(
                f"{folder}: left out: {len(others)} {self.kind.name} without a row in {TABLE}, such as "
                f"{printable(others[0].as_posix())}"
            )
