"""A table of observations, one file of comma-separated values."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccnn_geo.io.csv_header import TIME, read_header
from ccnn_geo.io.files.notices import say_once
from ccnn_geo.io.iso_dates import are_dates, may_be_dates, number_of, seconds_of

READING = 2
"""Counts changes of what is read of a file; part of the name of what is stored."""

LARGEST = 1e100
"""Largest number: its square, and sums of those, still fit into float64."""

MISSING = frozenset({"", "na", "nan", "n/a", "null", "none", "?"})
"""Cells, in lower case, that hold no value."""


@dataclass(frozen=True, eq=False)
class Table:
    r"""Single observations in the order of the file; NaN for a line that holds none, if all are so.

    Args:
        time: ``[M]`` float64, in the unit of the file, of dates in seconds since 1970.
        variable: ``[M]`` int64, indices into ``variables``.
        value: ``[M]`` float64.
        variables: Names, in the order of first appearance.
        dates: Whether the times are dates.

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


def read_table(path: Path) -> Table:
    """Reads a table with a column ``time`` and others: variables, or ``variable`` and ``value``.

    Raises:
        ValueError: Names the file, the line, what is there and what was expected.
    """
    lines: list[tuple[int, list[str]]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, cells in enumerate(csv.reader(file, strict=True), 1):
                if any(cells):
                    lines.append((number, cells))
    except UnicodeDecodeError as error:
        found = error.object[error.start : error.start + 8]
        raise ValueError(f"{path}: not comma-separated text in UTF-8, got {found!r}") from error
    except csv.Error as error:
        last = lines[-1][0] if lines else 0
        raise ValueError(
            f"{path}: not comma-separated text in UTF-8, expected cells with quotes in pairs below line {last}"
        ) from error
    header = read_header(path, lines[0][1] if lines else [])
    others = [name for name in header if name != TIME]
    if len(lines) == 1:
        raise ValueError(f"{path}: no lines below the header, expected one or more")
    long = set(others) == {"variable", "value"}
    names: dict[str, int] = {} if long else {name: i for i, name in enumerate(others)}
    times, empty, rows = [], [], []
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise ValueError(f"{path}, line {number}: {len(cells)} cells, expected {len(header)}")
        row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        time = row.pop(TIME)
        times.append((number, time))
        if long:
            if not row["variable"]:
                raise ValueError(f"{path}, line {number}: no variable is named")
            names.setdefault(row["variable"], len(names))
            row = {row["variable"]: row["value"]}
        seen = [(name, _number(path, number, name, text)) for name, text in row.items() if _there(text)]
        rows += [(len(times) - 1, names[name], value) for name, value in seen]
        empty.append((len(times) - 1, 0, math.nan))
    seconds, dates = _times(path, times)
    # a file without a single value is a record of which nothing but its time is known
    index, variable, value = zip(*(rows or empty), strict=True)
    return Table(seconds[list(index)], np.array(variable), np.array(value), list(names), dates)


def _there(text: str) -> bool:
    return text.lower() not in MISSING


def _number(path: Path, line: int, name: str, text: str) -> float:
    value = number_of(text)
    if not math.isfinite(value):
        raise ValueError(f"{path}, line {line}: {name} is {text[:40]!r}, expected a number or an empty cell")
    if abs(value) > LARGEST:
        raise ValueError(f"{path}, line {line}: {name} is {text[:40]!r}, expected at most {LARGEST:g}")
    return value


def _times(path: Path, texts: list[tuple[int, str]]) -> tuple[np.ndarray, bool]:
    """Times as numbers, and whether they are dates; all are of one kind."""
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
            f"{path.parent.parent}: times such as {written[0]} are taken for numbers; if they are dates, write them "
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
