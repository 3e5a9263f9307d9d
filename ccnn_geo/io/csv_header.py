"""The header of a table of observations: the names of its columns, one of them the time."""

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
    """The names of the columns, the rows below them, and the sign between cells.

    Args:
        path: The file.
        separator: Its sign or name; found from the header by default.
        time: Name of the column of times, in upper or lower case; ``time`` by default.

    Raises:
        ValueError: If the file is not a table, or its header is not valid.
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
    """The names of the columns; the column of times becomes ``time``.

    Args:
        path: The file, for messages.
        cells: The cells of its first line that is not empty; none for an empty file.
        wanted: The file's name for that column, in lower case.

    Raises:
        ValueError: If the header, the column ``time``, every other column or a name is missing, or a name is repeated;
            the message suggests a fix.
    """
    if not cells:
        raise ValueError(f"{path}: empty, expected a header with a column {wanted!r} and one or more others")
    names = [TIME if name.strip().lower() == wanted else name.strip() for name in cells]
    shown = repr(",".join(cells)[:80])
    if TIME not in names:
        raise ValueError(f"{path}: {_without_time(names, shown, wanted)}")
    if len(names) == 1:
        raise ValueError(
            f"{path}: the header has only the column {wanted!r}, expected one or more others; check the option "
            f"'separator'"
        )
    if "" in names:
        raise ValueError(
            f"{path}: column {names.index('') + 1} has no name in the header {shown}, expected one for each; name it "
            f"or remove it (a comma at the end of a line starts a column)"
        )
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(
            f"{path}: {', '.join(twice)} repeated in the header {shown}, expected different names"
        )
    return names


def _without_time(names: Sequence[str], shown: str, wanted: str) -> str:
    """Describes a header without times, and suggests a fix."""
    if all(_is_value(name) for name in names):
        return (
            f"no header, the first line is {shown}, expected the names of the columns, {wanted!r} among them; add them "
            f"in a line above it"
        )
    separator = next((sign for sign in SEPARATORS if len(names) == 1 and sign in names[0]), None)
    parts = list(names) if separator is None else [part.strip(" \"'") for part in names[0].split(separator)]
    likely = [
        name for name in parts if any(word in name.lower() for word in ("time", "date", "datum", "zeit"))
    ]
    guess = f" (is it {likely[0][:40]!r}?)" if likely else ""
    if not likely and not names[0]:  # a table with an index column
        guess = " (is it the first one, which has no name?)"
    return (
        f"the header {shown} (the first line) has no column {wanted!r}, expected one; rename the column of the "
        f"times{guess} to {wanted!r}, or set the option 'time' to its name"
    )


def _is_value(text: str) -> bool:
    return not text or any(math.isfinite(value) for value in (number_of(text), seconds_of(text)))
