"""The format of a table: the sign between cells and the decimal sign, detected where they are clear.

An ambiguous table is refused; the message names the option that decides.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space"}
"""Signs that may stand between cells, with their names."""

DECIMALS = (".", ",")

_COMMA = re.compile(r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_POINT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"([+-]?)(\d+)", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
"""A number with three decimals, or a whole number in groups of three."""

Row = tuple[int, list[str]]


def separator_of(given: str) -> str:
    r"""A separator, given as a sign or a name.

    Raises:
        ValueError: If it is not one of :data:`SEPARATORS`.

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
    """Refuses an unknown decimal sign.

    Raises:
        ValueError: If it is neither a point nor a comma.
    """
    if decimal is not None and decimal not in DECIMALS:
        raise ValueError(f"decimal: expected '.' or ',', got {decimal!r}")


def whole_label(text: str, decimal: str) -> str:
    """Normalises a label: whole numbers become their digits, NaN becomes empty.

    Programs write 1 as 1.0 in a column with empty cells, and write these as NaN. Other numbers, including infinite
    ones, stay as they are.

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
    """Rows that are not empty, each with the number of its last line.

    If spaces separate cells, several spaces count as one.

    Raises:
        ValueError: If the file is not text in UTF-8, or has an unclosed quote.
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
            f"{path}: not a table of text in UTF-8, expected a closing quote below line {last}"
        ) from error
    return rows


def find_separator(path: Path, is_header: Callable[[Sequence[str]], bool]) -> str:
    """The sign between the cells of a table, found from its header; a comma if there is none.

    Args:
        path: The file.
        is_header: Whether cells, without spaces around them, are a header.

    Raises:
        ValueError: If two signs are possible.
    """
    first = _first_line(path)
    found: list[str] = []
    for separator in SEPARATORS:
        if separator not in first or (separator == " " and found):  # spaces may stand beside another sign
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
            f"{path}: {words} may stand between the cells of {first[:80]!r}; the option 'separator' decides"
        )
    return found[0] if found else ","


def _first_line(path: Path) -> str:
    """The first line that is not empty; an empty string if the file is not text, which its reader will report."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return next((line.rstrip("\n") for line in file if line.strip()), "")
    except UnicodeDecodeError:
        return ""


def find_decimal(path: Path, cells: Iterable[str], separator: str) -> str:
    """The decimal sign of the numbers in a table; a point where commas separate the cells.

    Args:
        path: The file, for messages.
        cells: All cells that may be numbers.
        separator: The sign between cells.

    Raises:
        ValueError: If both signs occur, or if all numbers could be whole numbers in groups of three.
    """
    if separator == ",":
        return "."
    known = list(cells)
    commas = [cell for cell in known if _COMMA.fullmatch(cell)]
    points = [cell for cell in known if _POINT.fullmatch(cell)]
    if commas and points:
        raise ValueError(
            f"{path}: numbers with a comma, {commas[0][:40]!r}, and with a point, {points[0][:40]!r}, expected one "
            "decimal sign and no thousands separators"
        )
    some = commas or points
    if some and all(_THOUSANDS.fullmatch(cell) for cell in some):
        raise ValueError(
            f"{path}: {some[0][:40]!r} is a number with three decimals, or a whole number with a thousands separator; "
            f"the option 'decimal' ('.' or ',') decides"
        )
    return "," if commas else "."


def with_point(path: Path, line: int, text: str) -> str:
    """Replaces the decimal comma of a cell by a point.

    Raises:
        ValueError: If the cell is a number with a point.
    """
    if _POINT.fullmatch(text):
        raise ValueError(
            f"{path}, line {line}: {text[:40]!r} has a point, expected ',' for decimals and no thousands separators"
        )
    return text.replace(",", ".") if _COMMA.fullmatch(text) else text
