"""Text files: lines, numbers, tables, and polygons as triangles."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.shape import ShapeError

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_NAN = re.compile(r"[+-]?(?:1\.#\w*(?:e[+-]?\d+)?|nan\(\w*\))", re.I)
"""NaN and infinity as the C library of Windows prints them: ``1.#QNAN``, ``-1.#IND00e+000``, ``-nan(ind)``."""


def text_of(content: bytes) -> str:
    """Text in UTF-8, or in UTF-16 if its byte order mark says so; removes the mark."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if utf16 else "utf-8", errors="replace").removeprefix("\ufeff")


def is_blank(rest: bytes) -> bool:
    """Whether trailing bytes are empty: zeros, blanks and ends of lines, which some programs add."""
    return not rest.strip(b"\0\r\n\t \x1a")


def split_lines(text: str) -> list[str]:
    r"""Lines between ``\n``, ``\r\n`` and ``\r``; ``str.splitlines`` also cuts at characters that names may contain."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def lines_of(path: Path, continued: bool = False) -> list[str]:
    """The lines that are not empty.

    Args:
        path: A file. A ``#`` at the start of a line or after a blank begins a comment.
        continued: Whether a backslash at the end of a line joins it with the next.
    """
    lines = [line.strip() for line in split_lines(text_of(path.read_bytes()))]
    lines = [without_comment(line) if "#" in line else line for line in lines]
    if continued:
        lines = "\n".join(lines).replace("\\\n", " ").split("\n")
    return [line for line in lines if line]


def words_of(lines: list[str]) -> tuple[list[str], np.ndarray]:
    """Words of all lines in one list, and how many each line has; many small lists would slow garbage collection."""
    widths = np.array([len(line.split()) for line in lines], dtype=np.int64)
    return " ".join(lines).split(), widths


def without_comment(line: str) -> str:
    """A line up to its comment."""
    return _COMMENT.sub("", line).strip()


def numbers_of(path: Path, words: Sequence[str], what: str, kind: type = np.float64) -> np.ndarray:
    """Parses words as numbers ``[N]``, float64 or int64, including NaN and infinity as Windows prints them.

    Raises:
        ShapeError: If a word is not a number, even if Python accepts it (``1_000``, other digits than 0 to 9).
    """
    try:
        numbers: np.ndarray = np.array(words, dtype=kind)
        joined = "".join(words)
        plain = joined.isascii() and "_" not in joined and "\0" not in joined
    except (ValueError, OverflowError):
        plain = False
    if plain:
        return numbers
    return np.array([_number(path, word, what, kind) for word in words], dtype=kind)


def _number(path: Path, word: str, what: str, kind: type) -> float | int:
    if kind is np.float64 and _NAN.fullmatch(word):
        return (-np.inf if word.startswith("-") else np.inf) if "#INF" in word.upper() else np.nan
    try:
        if word.isascii() and "_" not in word:
            return float(word) if kind is np.float64 else int(np.int64(int(word)))
    except (ValueError, OverflowError):
        pass
    numbers = "numbers" if kind is np.float64 else "whole numbers"
    raise ShapeError(f"{path}: {word[:40]!r} among the {what}, expected {numbers}")


def table_of(path: Path, lines: list[str], what: str) -> np.ndarray:
    """Numbers as ``[rows, columns]`` with three columns or more, the same in every row."""
    if not lines:
        raise ShapeError(f"{path}: no {what} found, expected at least one")
    words, widths = words_of(lines)
    if widths.min() != widths.max() or widths[0] < 3:
        raise ShapeError(
            f"{path}: {what} with {np.unique(widths).tolist()} columns, expected 3 or more, the same in every row"
        )
    return numbers_of(path, words, what).reshape(len(lines), -1)


def counts_of_polygons(count: np.ndarray) -> np.ndarray | None:
    """Corners ``[P]`` of polygons as a shape stores them: None if all are triangles."""
    return None if (count == 3).all() else count.astype(np.int64)


def fans(count: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Polygons as triangle fans; points and edges (two corners or fewer) have no area and are left out.

    Shapes: ``[P]`` and ``[sum(count)]`` to ``[F, 3]``.
    """
    count = count.astype(np.int64)
    triangles = np.maximum(count - 2, 0)
    first = np.repeat(np.cumsum(count) - count, triangles)
    step = np.arange(len(first)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    return np.stack([corners[first], corners[first + step + 1], corners[first + step + 2]], axis=1)
