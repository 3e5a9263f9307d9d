"""Tables of targets for files: a row per file, a column per target."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccnn_geo.io.csv_format import Row, find_decimal, find_separator, read_rows, with_point
from ccnn_geo.io.csv_table import LARGEST, MISSING
from ccnn_geo.io.files.left_out import told_number
from ccnn_geo.io.iso_dates import number_of

TABLE = "targets.csv"
FILE, SPLIT = "file", "split"
_UNIT = re.compile(r"(.*?)\s*\[([^\[\]]*)\]\s*")


@dataclass(frozen=True, eq=False)
class TargetTable:
    """Targets of files.

    Args:
        files: Paths as written, with ``/``.
        splits: Split of each file; None for a table without that column.
        names: Names of the targets.
        units: Units of the targets; empty for none.
        values: ``[n, T]`` float64, NaN where a value is not known.
    """

    files: list[str]
    splits: list[str] | None
    names: list[str]
    units: list[str]
    values: np.ndarray

    @property
    def heads(self) -> list[str]:
        """Names of the targets, with units in brackets."""
        return [
            f"{name} [{unit}]" if unit else name for name, unit in zip(self.names, self.units, strict=True)
        ]

    def rows(self, index: Sequence[int]) -> TargetTable:
        """Some of the files, without their splits."""
        files = [self.files[i] for i in index]
        return TargetTable(
            files, None, self.names, self.units, self.values[np.asarray(index, dtype=np.int64)]
        )


def split_unit(header: str) -> tuple[str, str]:
    """Name and unit of a column.

    Example:
        >>> split_unit("energy [kcal/mol]"), split_unit("gap")
        (('energy', 'kcal/mol'), ('gap', ''))
    """
    match = _UNIT.fullmatch(header)
    return (match[1].strip(), match[2].strip()) if match else (header.strip(), "")


def read_targets(path: Path, wanted: Sequence[str] | None = None) -> TargetTable:
    r"""Reads a table with a column ``file``, perhaps ``split``, and one per target, such as ``energy [kcal/mol]``.

    Args:
        path: The text file. Commas, semicolons, tabs, bars or spaces separate the cells, whichever make a header with
            ``file``. If they are not commas, a comma may be the decimal sign.
        wanted: Names of targets; None for all columns.

    Raises:
        ValueError: If the table is not valid; the message names the file, the line, what was found and expected.
        OSError: If it cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "targets.csv")
        ...     _ = path.write_text("file,energy [eV]\nwater.npz,-1.5\n")
        ...     table = read_targets(path)
        >>> table.files, table.names, table.units, table.values.tolist()
        (['water.npz'], ['energy'], ['eV'], [[-1.5]])
    """
    header, rows, separator = _read(path)
    columns = [split_unit(cell) for cell in header]
    names = [name for name, _ in columns]
    if FILE not in names or len(set(names)) < len(names) or "" in names:
        raise ValueError(
            f"{path}: the header is {','.join(header)[:80]!r}, expected different names, one of them {FILE!r}"
        )
    known = [name for name in names if name not in (FILE, SPLIT)]
    chosen = known if wanted is None else list(wanted)
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise ValueError(
            f"{path}: no target {', '.join(unknown)}, expected some of {', '.join(known) or 'a column for each target'}"
        )
    places = [names.index(name) for name in chosen]
    given = [(line, [cells[i].strip() for i in places]) for line, cells in rows]
    if _decimal(path, (cell for _, cells in given for cell in cells), separator) == ",":
        given = [(line, [with_point(path, line, cell) for cell in cells]) for line, cells in given]
    values = [
        [_number(path, line, name, cell) for name, cell in zip(chosen, cells, strict=True)]
        for line, cells in given
    ]
    files = [_file(path, line, cells[names.index(FILE)]) for line, cells in rows]
    twice = {name for name in files if files.count(name) > 1} if len(set(files)) < len(files) else set()
    if twice:
        raise ValueError(f"{path}: several rows for {min(twice)}, expected one per file")
    splits = [cells[names.index(SPLIT)].strip() for _, cells in rows] if SPLIT in names else None
    units = [columns[i][1] for i in places]
    return TargetTable(files, splits, chosen, units, np.array(values, dtype=np.float64))


def _read(path: Path) -> tuple[list[str], list[Row], str]:
    """The header, the lines that have as many cells with their numbers, and the sign between cells."""
    separator = find_separator(path, lambda cells: FILE in [_column(cell) for cell in cells])
    lines = read_rows(path, separator)
    if len(lines) < 2:
        found = told_number(len(lines), "line")
        raise ValueError(f"{path}: {found}, expected a header and a row per file")
    header = [_column(cell) for cell in lines[0][1]]
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            raise ValueError(
                f"{path}, line {line}: {len(cells)} cells, expected {len(header)} as in the header"
            )
    return header, lines[1:], separator


def _column(cell: str) -> str:
    """The head of a column; our own names may be in upper case."""
    return cell.strip().lower() if cell.strip().lower() in (FILE, SPLIT) else cell


def _decimal(path: Path, cells: Iterable[str], separator: str) -> str:
    """The decimal sign of the targets, for which there is no option."""
    try:
        return find_decimal(path, cells, separator)
    except ValueError as error:
        told = str(error).partition("; the option")[0]
        raise ValueError(f"{told}; if commas separate the cells, write decimals with a point") from error


def _file(path: Path, line: int, text: str) -> str:
    """The shortest form of a path, so that each file has one name."""
    if not text.strip():
        raise ValueError(f"{path}, line {line}: no {FILE}, expected its name")
    return posixpath.normpath(text.strip().replace("\\", "/"))


def _number(path: Path, line: int, name: str, text: str) -> float:
    if text.lower() in MISSING:
        return math.nan
    value = number_of(text)
    if not abs(value) <= LARGEST:
        raise ValueError(f"{path}, line {line}: {name} is {text[:40]!r}, expected a number or an empty cell")
    return value
