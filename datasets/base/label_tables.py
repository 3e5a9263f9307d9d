"""A table of files and their labels: ``labels.csv`` or ``files.csv`` in the root, with any separator.

    file,label,split
    scans/0001.png,healthy,train
    scans/0002.png,ill,test

Columns may be in any order, beside other ones; without ``split`` the files are split by their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ccnn_geo.datasets.base.class_folders import SPLITS, split_name
from ccnn_geo.io.csv_format import find_separator, read_rows
from ccnn_geo.io.files.left_out import list_names
from ccnn_geo.io.files.sample_files import FileKind

STEMS, ENDINGS = ("labels", "files"), (".csv", ".tsv")
"""Names of the table, in lower case."""

COLUMNS = {
    "file": ("file", "filename", "file_name", "path", "filepath", "file_path"),
    "label": ("label", "class", "category", "target"),
    "split": ("split", "set", "subset", "part"),
}
"""Common names of the columns, in lower case."""


@dataclass(frozen=True)
class LabelRow:
    """A row of a table: one file.

    Args:
        path: The file.
        label: Name of its class.
        split: One of train, validation and test; None in a table without that column.
    """

    path: Path
    label: str
    split: str | None


def find_label_table(root: Path) -> Path | None:
    """Finds the table in a folder, if there is one.

    Raises:
        ValueError: If there are two.
    """
    found = sorted(
        path
        for path in root.iterdir()
        if path.stem.casefold() in STEMS and path.suffix.lower() in ENDINGS and path.is_file()
    )
    if len(found) > 1:
        raise ValueError(f"{root}: tables {list_names([p.name for p in found])}, expected one")
    return found[0] if found else None


def read_label_table(root: Path, table: Path, kind: FileKind) -> list[LabelRow]:
    """Reads the files of a table, in its order.

    Args:
        root: The folder that names of files are relative to.
        table: The table.
        kind: The files that are read.

    Raises:
        ValueError: If columns, labels or splits are missing, or files are missing, of another kind, outside of the
            root, or listed twice; names the first of them and says how many there are.
    """
    separator = find_separator(table, lambda cells: {"file", "label"} <= set(_places(cells)))
    rows = read_rows(table, separator)
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    places = _places(header)
    if not {"file", "label"} <= set(places):
        raise ValueError(
            f"{table}: the header {','.join(header)[:80]!r} (the first line), expected columns 'file' and 'label', and "
            f"perhaps 'split'"
        )
    found = [_row(root, table, line, cells, len(header), places) for line, cells in rows[1:]]
    if not found:
        raise ValueError(f"{table}: no lines below the header, expected a file in each")
    _check_files(root, table, found, kind)
    return found


def _places(cells: Sequence[str]) -> dict[str, int]:
    """Maps each column to its place; leaves out a column that appears under two names."""
    lower = [cell.strip().casefold() for cell in cells]
    places = {}
    for column, names in COLUMNS.items():
        found = [i for i, cell in enumerate(lower) if cell in names]
        exact = [i for i in found if lower[i] == column]
        chosen = exact if len(exact) == 1 else found
        if len(chosen) == 1:
            places[column] = chosen[0]
    return places


def _row(
    root: Path, table: Path, line: int, cells: list[str], width: int, places: dict[str, int]
) -> LabelRow:
    if len(cells) != width:
        raise ValueError(f"{table}, line {line}: {len(cells)} cells, expected {width}")
    row = {column: cells[place].strip() for column, place in places.items()}
    if not row["file"] or not row["label"]:
        raise ValueError(
            f"{table}, line {line}: {row['file']!r} has the label {row['label']!r}, expected both"
        )
    split = split_name(row["split"]) if "split" in row else None
    if split is not None and split not in SPLITS:
        raise ValueError(
            f"{table}, line {line}: the split {row['split']!r}, expected one of {', '.join(SPLITS)} (or "
            "val, valid, dev)"
        )
    return LabelRow(root / row["file"].replace("\\", "/"), row["label"], split)


def _check_files(root: Path, table: Path, rows: Sequence[LabelRow], kind: FileKind) -> None:
    inside = root.resolve()
    seen: set[Path] = set()
    wrong: dict[str, list[str]] = {}
    for row in rows:
        name = str(row.path)
        if row.path in seen:
            wrong.setdefault("listed twice, expected once", []).append(name)
        elif (
            not row.path.is_relative_to(root)
            or inside not in (row.path.parent.resolve() / row.path.name).parents
        ):
            wrong.setdefault(f"outside of {root}, expected names relative to it", []).append(name)
        elif row.path.suffix.lower() not in kind.all_extensions:
            wrong.setdefault(f"not {kind.name}, expected {' '.join(kind.all_extensions)}", []).append(name)
        elif not row.path.is_file():
            wrong.setdefault("not there, expected files below the root", []).append(name)
        seen.add(row.path)
    if wrong:
        told = [
            f"{len(names)} of {len(rows)} files {why}, such as {names[0]}" for why, names in wrong.items()
        ]
        raise ValueError(f"{table}: {'; '.join(told)}")
