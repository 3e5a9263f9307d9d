"""Clouds in text: ``.xyz``, ``.txt``, ``.csv`` and ``.pts``, with or without a header, with any common separator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.columns import normals_of
from ccnn_geo.io.shapes.shape import Shape, ShapeError
from ccnn_geo.io.shapes.text import lines_of, table_of

POSITION, NORMAL = ("x", "y", "z"), ("nx", "ny", "nz")
UNUSED = "_"

SUFFIXES = (".xyz", ".txt", ".csv", ".pts")
"""Extensions of text clouds, in lower case."""

_LETTER = re.compile(r"[A-Za-z]")
_NUMBER = re.compile(r"[+-]?(?:\d|\.\d|nan|inf|1\.#)", re.I | re.ASCII)
_NORMAL = re.compile(r"n(?:ormals?)?[ _.]?([xyz])", re.I)
_BESIDE_COMMA = re.compile(r"[ \t]*,[ \t]*")


def check_names(columns: Sequence[str] | None) -> None:
    """Refuses impossible names of columns.

    Raises:
        ValueError: If x, y and z are not among them, a name occurs twice, or a normal is not complete.
    """
    if columns is None:
        return
    used = [] if isinstance(columns, str) else [str(name) for name in columns if name != UNUSED]
    if (
        not set(POSITION) <= set(used)
        or len(set(used)) < len(used)
        or len(set(NORMAL) & set(used)) not in (0, 3)
    ):
        raise ValueError(
            f"columns: expected different names, x, y, z among them and nx, ny, nz all or none ({UNUSED} for one not "
            f"used), got {columns!r}"
        )


def read_text_cloud(path: Path, columns: Sequence[str] | None = None) -> Shape:
    """Reads the cloud of a text file of numbers.

    Blanks, commas or semicolons separate cells. A first line of words is a header, which names x, y, z and perhaps nx,
    ny, nz; other names in it are skipped. Without a header the first three columns are the position; in six or more
    columns, :func:`~ccnn_geo.io.shapes.columns.normals_of` decides what the next three are. A ``.pts`` may begin with
    its number of points; with four columns it has an intensity, with seven also a colour.

    Args:
        path: The file.
        columns: Names of all columns; reads ``x y z`` and perhaps ``nx ny nz``, and skips a header.

    Raises:
        ShapeError: If the file is not valid, or its columns are ambiguous; the message names the option that helps.
    """
    table, names = _table(path, columns)
    if names is not None:
        return _by_name(path, table, names)
    width = table.shape[1]
    if path.suffix.lower() == ".pts" and width in (4, 7):
        return Shape(table[:, :3])
    if width in (4, 5):
        raise ShapeError(
            f"{path}: {width} columns, expected 3 (position) or at least 6 (with normal or colour); the option "
            f"'columns' names them"
        )
    return Shape(table[:, :3], None, normals_of(path, table[:, 3:]) if width > 3 else None)


def read_text_columns(path: Path, columns: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Columns by name of a file for :func:`read_text_cloud`; none without a header, unless ``columns`` names them."""
    table, names = _table(path, columns)
    return {} if names is None else dict(zip(names, table.T, strict=True))


def _table(path: Path, columns: Sequence[str] | None) -> tuple[np.ndarray, list[str] | None]:
    """The numbers, and the names of their columns, if given or in a header."""
    lines = _counted(path, lines_of(path))
    header = _header(lines[0]) if lines else None
    lines = _separated(path, lines if header is None else lines[1:])
    table = table_of(path, lines, "points")
    return table, header if columns is None else list(columns)


def _by_name(path: Path, table: np.ndarray, names: list[str]) -> Shape:
    missing = [name for name in POSITION if names.count(name) != 1]
    if missing:
        raise ShapeError(
            f"{path}: the first line, {' '.join(names)[:80]!r}, does not name {', '.join(missing)} once, expected x, y "
            f"and z; the option 'columns' names them"
        )
    if len(names) != table.shape[1]:
        raise ShapeError(f"{path}: {table.shape[1]} columns, expected {len(names)}: {', '.join(names)}")
    vertices = table[:, [names.index(name) for name in POSITION]]
    normals = [names.index(name) for name in NORMAL if name in names]
    return Shape(vertices, None, table[:, normals] if len(normals) == 3 else None)


def _header(line: str) -> list[str] | None:
    """Names of the columns if a line is a header: words, none of them a number and one with a letter."""
    text = line.removeprefix("//")
    cells = (
        text.replace(";", ",").replace("\t", ",").split(",") if re.search("[,;\t]", text) else text.split()
    )
    words = [cell.strip(" \"'") for cell in cells]
    if any(_NUMBER.match(word) for word in words) or not any(_LETTER.match(word) for word in words):
        return None
    return [_name(word) for word in words]


def _name(word: str) -> str:
    """Our own name of a column."""
    if word.lower() in POSITION:
        return word.lower()
    normal = _NORMAL.fullmatch(word)
    return f"n{normal[1].lower()}" if normal else word


def _counted(path: Path, lines: list[str]) -> list[str]:
    """Lines without the number of points that may begin a ``.pts``."""
    if path.suffix.lower() != ".pts" or not lines or not (lines[0].isascii() and lines[0].isdecimal()):
        return lines
    claimed, found = int(lines[0][:18]), len(lines) - 1
    if claimed != found:
        cut = "truncated, " if found < claimed else ""
        raise ShapeError(f"{path}: {cut}{found} points, expected {lines[0][:18]}")
    return lines[1:]


def _separated(path: Path, lines: list[str]) -> list[str]:
    """Lines with blanks between their cells; refuses cells that are empty, or commas that may be decimal."""
    text = "\n".join(lines)
    sign = ";" if ";" in text else "," if "," in text else None
    if sign is None:
        return lines
    if sign == ";" and "," in text:
        raise ShapeError(f"{path}: semicolons and commas, expected decimals with a point")
    if sign == "," and re.search("[ \t]", _BESIDE_COMMA.sub(",", text)):
        word = next(word for word in text.split() if "," in word)
        raise ShapeError(
            f"{path}: {word[:40]!r} among the points, expected numbers between separators of one kind, decimals with a "
            f"point"
        )
    apart = text.replace(sign, " ").split("\n")
    for line, words in zip(lines, apart, strict=True):
        if len(words.split()) != line.count(sign) + 1:
            raise ShapeError(f"{path}: {line[:40]!r} has empty cells, expected numbers in all")
    return apart
