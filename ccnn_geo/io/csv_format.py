"""How a table is written: what stands between its cells, and its decimal sign; found out where it is plain.

A guess that could be wrong is refused, and the line names the option that says it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space"}
"""What may stand between cells, and the words for it."""

DECIMALS = (".", ",")

_COMMA = re.compile(r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_POINT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"([+-]?)(\d+)", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
"""Either a number with three decimals or a whole one in groups of three."""

Row = tuple[int, list[str]]


def separator_of(given: str) -> str:
    r"""A separator by its sign or its name.

    Raises:
        ValueError: For another.

    Example:
        >>> separator_of("tab"), separator_of(";")
        ('\t', ';')
    """
    known = {**{name: sign for sign, name in SEPARATORS.items()}, "\\t": "\t"}
    sign = known.get(given, given)
    if sign not in SEPARATORS:
        raise ValueError(f"separator: expected one of {', '.join(SEPARATORS.values())}, got {given!r}")
    return sign


def check_decimal(decimal: str | None) -> None:
    """Refuses a decimal sign that is none.

    Raises:
        ValueError: Names the option.
    """
    if decimal is not None and decimal not in DECIMALS:
        raise ValueError(f"decimal: expected '.' or ',', got {decimal!r}")


def whole_label(text: str, decimal: str) -> str:
    """A label; of a whole number, however it is written, its digits; of NaN none.

    Programs write 1 as 1.0 in a column with empty cells, and these as NaN. Other numbers, infinite ones too, stay
    as they are.

    Example:
        >>> whole_label("1.0", "."), whole_label("1.5", "."), whole_label("1,", ","), whole_label("v1.0", ".")
        ('1', '1.5', '1', 'v1.0')
        >>> whole_label("+1", "."), whole_label("01", "."), whole_label("-0", "."), whole_label("NaN", ".")
        ('1', '1', '0', '')
    """
    if text.lower() == "nan":
        return ""
    whole, _, decimals = text.partition(decimal)
    match = _WHOLE.fullmatch(whole)
    if match is None or decimals.strip("0"):
        return text
    digits = match[2].lstrip("0")
    return f"{match[1].strip('+')}{digits}" if digits else "0"


def read_rows(path: Path, separator: str) -> list[Row]:
    """Rows that have a cell that is not empty, and the line in which each ends.

    Several blanks between cells are one, if blanks are the separator.

    Raises:
        ValueError: If the file is no text in UTF-8, or has quotes without an end.
    """
    rows: list[Row] = []
    blanks = separator == " "
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for cells in (
                reader := csv.reader(file, delimiter=separator, skipinitialspace=blanks, strict=True)
            ):
                if any(cells):
                    rows.append((reader.line_num, [cell for cell in cells if cell] if blanks else cells))
    except UnicodeDecodeError as error:
        found = error.object[error.start : error.start + 8]
        raise ValueError(f"{path}: not a table of text in UTF-8, got {found!r}") from error
    except csv.Error as error:
        last = rows[-1][0] if rows else 0
        raise ValueError(
            f"{path}: not a table of text in UTF-8, expected cells with quotes in pairs below line {last}"
        ) from error
    return rows


def find_separator(path: Path, is_header: Callable[[Sequence[str]], bool]) -> str:
    """What stands between the cells of a table: that which makes a header of its first line; without any a comma.

    Args:
        path: The file.
        is_header: Whether cells, without blanks around them, are a header.

    Raises:
        ValueError: If there are two of them.
    """
    first = _first_line(path)
    found: list[str] = []
    for separator in SEPARATORS:
        if separator not in first or (separator == " " and found):  # blanks may stand beside another
            continue
        try:
            cells = next(
                csv.reader([first], delimiter=separator, skipinitialspace=separator == " ", strict=True)
            )
        except csv.Error:
            continue
        if len(cells) > 1 and is_header([cell.strip() for cell in cells]):
            found.append(separator)
    if len(found) > 1:
        words = " or ".join(SEPARATORS[separator] for separator in found)
        raise ValueError(
            f"{path}: {words} may stand between the cells of {first[:80]!r}; the option 'separator' says which"
        )
    return found[0] if found else ","


def _first_line(path: Path) -> str:
    """The first line that says something; nothing if the file is no text, of which its reader will complain."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return next((line.rstrip("\n") for line in file if line.strip()), "")
    except UnicodeDecodeError:
        return ""


def find_decimal(path: Path, cells: Iterable[str], separator: str) -> str:
    """The decimal sign of the numbers in a table; where commas separate them it is a point.

    Args:
        path: The file, for messages.
        cells: All that may be numbers.
        separator: What stands between them.

    Raises:
        ValueError: If there are numbers of either kind, or all numbers could be whole ones in groups of three.
    """
    if separator == ",":
        return "."
    known = list(cells)
    commas = [cell for cell in known if _COMMA.fullmatch(cell)]
    points = [cell for cell in known if _POINT.fullmatch(cell)]
    if commas and points:
        raise ValueError(
            f"{path}: numbers with a comma, {commas[0][:40]!r}, and with a point, {points[0][:40]!r}, expected one "
            "decimal sign and no groups of thousands"
        )
    some = commas or points
    if some and all(_THOUSANDS.fullmatch(cell) for cell in some):
        raise ValueError(
            f"{path}: {some[0][:40]!r} is a number with three decimals, or a whole one in groups of thousands; the "
            f"option 'decimal' ('.' or ',') says which sign is that of decimals"
        )
    return "," if commas else "."


def with_point(path: Path, line: int, text: str) -> str:
    """A cell of a table whose decimal sign is a comma, as other tables have it.

    Raises:
        ValueError: If it is a number with a point.
    """
    if _POINT.fullmatch(text):
        raise ValueError(
            f"{path}, line {line}: {text[:40]!r} has a point, expected ',' for decimals and no groups of thousands"
        )
    return text.replace(",", ".") if _COMMA.fullmatch(text) else text
