"""Reads a table of observations from a text file."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccnn_geo.io.csv_format import (
    Row,
    check_decimal,
    find_decimal,
    whole_label,
    with_point,
)
from ccnn_geo.io.csv_header import TIME, read_named_rows
from ccnn_geo.io.files.notices import say_once
from ccnn_geo.io.iso_dates import are_dates, may_be_dates, number_of, seconds_of

READING = 5
"""Version of the reader; part of the name of stored files."""

LARGEST = 1e100
"""Largest number: its square, and sums of those, still fit into float64."""

MISSING = frozenset({"", "na", "nan", "n/a", "null", "none", "?"})
"""Cells, in lower case, that mean no value."""


@dataclass(frozen=True, eq=False)
class Lines:
    """The lines of a file below its header, and their format.

    Args:
        time: Times ``[L]`` float64, in the unit of :class:`Table`.
        labels: Cells of the column of labels, whole numbers as their digits, empty for no label; None for a file
            without that column.
        separator: The sign between cells.
        decimal: The decimal sign.
    """

    time: np.ndarray
    labels: list[str] | None
    separator: str
    decimal: str


@dataclass(frozen=True, eq=False)
class Table:
    r"""Single observations in the order of the file; NaN for a line without any, if all lines are so.

    Args:
        time: ``[M]`` float64, in the unit of the file; dates are seconds since 1970.
        variable: ``[M]`` int64, indices into ``variables``.
        value: ``[M]`` float64.
        variables: Names, in the order of first appearance.
        dates: Whether the times are dates.
        lines: The lines of the file; None for a table in memory.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "ward.csv")
        ...     _ = path.write_text("time,pulse,heat\n0,60,\n2.5,,37\n")
        ...     table = read_table(path)
        >>> table.variables, table.variable.tolist(), table.time.tolist(), table.value.tolist()
        (['pulse', 'heat'], [0, 1], [0.0, 2.5], [60.0, 37.0])
    """

    time: np.ndarray
    variable: np.ndarray
    value: np.ndarray
    variables: list[str]
    dates: bool
    lines: Lines | None = None


def read_table(
    path: Path,
    separator: str | None = None,
    decimal: str | None = None,
    time: str | None = None,
    label: str | None = None,
) -> Table:
    """Reads a table with a column of times and others: one per variable, or ``variable`` and ``value``.

    Args:
        path: The file.
        separator: Comma, semicolon, tab, pipe, space, or the sign itself; found from the header by default.
        decimal: ``.`` or ``,``. By default a point between commas, and else the sign that the numbers have.
        time: Name of the column of times, in upper or lower case; ``time`` by default.
        label: Name of a column of labels, which is not a variable; a file may lack it.

    Raises:
        ValueError: If the table is not valid; the message names the file, the line, what was found and expected, or the
            option that settles a doubt.
    """
    check_decimal(decimal)
    if label is not None and (label == TIME or label.strip().lower() == (time or TIME).strip().lower()):
        raise ValueError(
            f"{path}: the column {label!r} has the times, expected a different column for the labels"
        )
    header, lines, separator = read_named_rows(path, separator, time)
    if not lines:
        raise ValueError(f"{path}: no lines below the header, expected one or more")
    rows = _rows(path, header, lines)
    labels = None
    if label in header:
        labels = [row.pop(label) for _, row in rows]
        header.remove(label)
        if len(header) == 1:
            raise ValueError(
                f"{path}: found only the columns {time or TIME!r} and {label!r}, expected one or more others"
            )
    if decimal is None:
        decimal = find_decimal(path, (cell for _, row in rows for cell in _numbers(row)), separator)
    if decimal == ",":
        rows = [(line, _with_points(path, line, row)) for line, row in rows]
    if labels is not None:
        labels = [whole_label(text, decimal) for text in labels]
    return _observations(path, header, rows, labels, separator, decimal)


Cells = dict[str, str]


def _rows(path: Path, header: list[str], lines: list[Row]) -> list[tuple[int, Cells]]:
    for number, cells in lines:
        if len(cells) != len(header):
            raise ValueError(f"{path}, line {number}: {len(cells)} cells, expected {len(header)}")
    return [(n, dict(zip(header, (cell.strip() for cell in cells), strict=True))) for n, cells in lines]


def _numbers(row: Cells) -> list[str]:
    """The cells that must be numbers or empty."""
    return [text for name, text in row.items() if not (name == "variable" and _is_long(row))]


def _with_points(path: Path, line: int, row: Cells) -> Cells:
    kept = {"variable"} if _is_long(row) else set()
    return {name: text if name in kept else with_point(path, line, text) for name, text in row.items()}


def _is_long(names: Iterable[str]) -> bool:
    return set(names) == {TIME, "variable", "value"}


def _observations(
    path: Path,
    header: list[str],
    lines: list[tuple[int, Cells]],
    labels: list[str] | None,
    separator: str,
    decimal: str,
) -> Table:
    others, long = [name for name in header if name != TIME], _is_long(header)
    names: dict[str, int] = {} if long else {name: i for i, name in enumerate(others)}
    times, empty, rows = [], [], []
    for number, cells in lines:
        row = dict(cells)
        times.append((number, row.pop(TIME)))
        if long:
            if not row["variable"]:
                raise ValueError(f"{path}, line {number}: no variable is named")
            names.setdefault(row["variable"], len(names))
            row = {row["variable"]: row["value"]}
        seen = [(name, _number(path, number, name, text)) for name, text in row.items() if _there(text)]
        rows += [(len(times) - 1, names[name], value) for name, value in seen]
        empty.append((len(times) - 1, 0, math.nan))
    seconds, dates = _times(path, times)
    # a file without values is a record with times only
    index, variable, value = zip(*(rows or empty), strict=True)
    about = Lines(seconds, labels, separator, decimal)
    return Table(seconds[list(index)], np.array(variable), np.array(value), list(names), dates, about)


def _there(text: str) -> bool:
    return text.lower() not in MISSING


def _number(path: Path, line: int, name: str, text: str) -> float:
    value = number_of(text)
    if not math.isfinite(value):
        comma = (
            "; for decimal commas set the option 'decimal'"
            if math.isfinite(number_of(text.replace(",", ".", 1)))
            else ""
        )
        raise ValueError(
            f"{path}, line {line}: {name} is {text[:40]!r}, expected a number or an empty cell{comma}"
        )
    if abs(value) > LARGEST:
        raise ValueError(f"{path}, line {line}: {name} is {text[:40]!r}, expected at most {LARGEST:g}")
    return value


def _times(path: Path, texts: list[tuple[int, str]]) -> tuple[np.ndarray, bool]:
    """Times as numbers, and whether they are dates; all must be of one kind."""
    written = [text for _, text in texts]
    numbers = [number_of(text) for text in written]
    dates = are_dates(written, numbers)
    if not isinstance(dates, bool):
        line, text = texts[dates]
        raise ValueError(
            f"{path}, line {line}: time is {text[:40]!r}, expected a date like most of the others; if all are numbers, "
            f"write them with a decimal point"
        )
    if not dates and may_be_dates(written):
        say_once(
            f"{path.parent.parent}: times such as {written[0]} are read as numbers; if they are dates, write them "
            f"with dashes, as 2024-05-01, 2024-05 or 2024-136"
        )
    values = [seconds_of(text) for text in written] if dates else numbers
    for (line, text), value in zip(texts, values, strict=True):
        if not abs(value) <= LARGEST:
            kind = (
                "a date such as 2024-05-01T13:30:00"
                if dates
                else f"a number like the first, at most {LARGEST:g}"
            )
            raise ValueError(f"{path}, line {line}: time is {text[:40]!r}, expected {kind}")
    return np.array(values, dtype=np.float64), dates
