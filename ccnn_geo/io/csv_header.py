"""The header of a table of observations: a name for each column, and one of them is the time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ccnn_geo.io.iso_dates import number_of, seconds_of

TIME = "time"
SEPARATORS = (";", "\t", "|", " ")
"""What stands between cells in files that are not separated by commas."""


def read_header(path: Path, cells: Sequence[str]) -> list[str]:
    """Names of the columns; that of the times, in upper or lower case, is ``time``.

    Args:
        path: The file, for messages.
        cells: Its first line that is not empty; none of an empty file.

    Raises:
        ValueError: If there is no header, or no column ``time`` or no other, or a name is missing or twice there; says
            the way out.
    """
    if not cells:
        raise ValueError(f"{path}: empty, expected a header with a column 'time' and one or more others")
    names = [TIME if name.strip().lower() == TIME else name.strip() for name in cells]
    shown = repr(",".join(cells)[:80])
    if TIME not in names:
        raise ValueError(f"{path}: {_without_time(names, shown)}")
    if len(names) == 1:
        raise ValueError(
            f"{path}: the header has the column 'time' alone, expected one or more others, separated by commas"
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


def _without_time(names: Sequence[str], shown: str) -> str:
    """Says what is there instead, and what to do."""
    separator = _separator(names)
    if separator is not None:
        count = "one column" if len(names) == 1 else f"{len(names)} columns"
        return (
            f"the header has {count}, {shown}, expected 'time' and others, separated by commas; is {separator!r} its "
            f"separator? Then save the file with commas"
        )
    if all(_is_value(name) for name in names):
        return (
            f"no header, the first line is {shown}, expected names of the columns, 'time' among them; write them "
            f"above it"
        )
    likely = [name for name in names if any(word in name.lower() for word in ("time", "date"))]
    guess = f" (is it {likely[0][:40]!r}?)" if likely else ""
    if not likely and not names[0]:  # as tables with an index are written
        guess = " (is it the first one, which has no name?)"
    return (
        f"the header {shown} (the first line) has no column 'time', expected one; rename the column of the "
        f"times{guess} to 'time'"
    )


def _separator(names: Sequence[str]) -> str | None:
    """What seems to stand between the names, if it is no comma."""
    text = ",".join(names)
    for separator in SEPARATORS:
        parts = [part.strip(" \"'").lower() for part in text.split(separator)]
        if len(parts) > 1 and (TIME in parts or (len(names) == 1 and separator != " ")):
            return separator
    return None


def _is_value(text: str) -> bool:
    return not text or any(math.isfinite(value) for value in (number_of(text), seconds_of(text)))
