"""The header of a table of observations: a name for each column, and one of them is the time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ccnn_geo.io.csv_format import SEPARATORS, Row, find_separator, read_rows, separator_of
from ccnn_geo.io.iso_dates import number_of, seconds_of

TIME = "time"


def read_named_rows(
    path: Path, separator: str | None = None, time: str | None = None
) -> tuple[list[str], list[Row], str]:
    """Names of the columns, the rows below, and the sign between cells.

    Args:
        path: The file.
        separator: Its sign or name; by default that which makes a header of the first line.
        time: Name of the column of times, in upper or lower case; ``time`` by default.

    Raises:
        ValueError: If it is no table, or its header is none.
    """
    wanted = (time or TIME).strip().lower()
    sign = (
        find_separator(path, lambda cells: wanted in [cell.lower() for cell in cells])
        if separator is None
        else separator_of(separator)
    )
    (_, first), *rows = read_rows(path, sign) or [(0, [])]
    return read_header(path, first, wanted), rows, sign


def read_header(path: Path, cells: Sequence[str], wanted: str = TIME) -> list[str]:
    """Names of the columns; that of the times, in upper or lower case, is ``time``.

    Args:
        path: The file, for messages.
        cells: Its first line that is not empty; none of an empty file.
        wanted: What the file calls that column, in lower case.

    Raises:
        ValueError: If there is no header, or no column ``time`` or no other, or a name is missing or twice there; says
            the way out.
    """
    if not cells:
        raise ValueError(f"{path}: empty, expected a header with a column {wanted!r} and one or more others")
    names = [TIME if name.strip().lower() == wanted else name.strip() for name in cells]
    shown = repr(",".join(cells)[:80])
    if TIME not in names:
        raise ValueError(f"{path}: {_without_time(names, shown, wanted)}")
    if len(names) == 1:
        raise ValueError(
            f"{path}: the header has the column {wanted!r} alone, expected one or more others; the option 'separator' "
            f"says what stands between them"
        )
    if "" in names:
        raise ValueError(
            f"{path}: column {names.index('') + 1} has no name in the header {shown}, expected one for each; name it "
            f"or take it out (a comma at the end of a line makes a column)"
        )
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(
            f"{path}: {', '.join(twice)} more than once in the header {shown}, expected different names"
        )
    return names


def _without_time(names: Sequence[str], shown: str, wanted: str) -> str:
    """Says what is there instead, and what to do."""
    if all(_is_value(name) for name in names):
        return (
            f"no header, the first line is {shown}, expected names of the columns, {wanted!r} among them; write them "
            f"above it"
        )
    separator = next((sign for sign in SEPARATORS if len(names) == 1 and sign in names[0]), None)
    parts = list(names) if separator is None else [part.strip(" \"'") for part in names[0].split(separator)]
    likely = [
        name for name in parts if any(word in name.lower() for word in ("time", "date", "datum", "zeit"))
    ]
    guess = f" (is it {likely[0][:40]!r}?)" if likely else ""
    if not likely and not names[0]:  # as tables with an index are written
        guess = " (is it the first one, which has no name?)"
    return (
        f"the header {shown} (the first line) has no column {wanted!r}, expected one; rename the column of the "
        f"times{guess} to {wanted!r}, or name it by the option 'time'"
    )


def _is_value(text: str) -> bool:
    return not text or any(math.isfinite(value) for value in (number_of(text), seconds_of(text)))
