"""OFF, including the variants of shape benchmarks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.shape import Shape, ShapeError
from ccnn_geo.io.shapes.text import (
    counts_of_polygons,
    fans,
    lines_of,
    numbers_of,
    table_of,
    without_comment,
    words_of,
)

_COLOURS = (0, 1, 3, 4)
"""Lengths of a face's colour: none, an index, RGB, RGBA."""


def read_off(path: Path) -> Shape:
    """Reads vertices and polygons; normals, colours and texture coordinates are left out.

    Source: http://www.geomview.org/docs/html/OFF.html
    """
    lines = lines_of(path)
    header = re.match(r"(?:ST)?C?N?4?OFF", lines[0], re.I) if lines else None
    if header is None:
        raise ShapeError(f"{path}: starts with {lines[0][:20] if lines else ''!r}, expected OFF")
    if "4" in header[0] or header[0].endswith("nOFF"):  # NOFF and noff mean normals
        raise ShapeError(
            f"{path}: {header[0]}, vertices with four or n coordinates, expected OFF, with three"
        )
    rest = without_comment(lines[0][header.end() :])
    if rest.upper().startswith("BINARY"):
        raise ShapeError(f"{path}: binary OFF, expected text")
    counts, data = (rest, lines[1:]) if rest else ("".join(lines[1:2]), lines[2:])
    try:
        return _off_bylines_of(path, counts, data)
    except ShapeError:  # plain OFF may have line ends anywhere
        words = " ".join([rest, *lines[1:]]).split()
        shape = _off_by_words(words) if header[0].upper() == "OFF" else None
        if shape is None:
            raise
        return shape


def _off_bylines_of(path: Path, counts: str, lines: list[str]) -> Shape:
    words = counts.split()
    if len(words) not in (2, 3) or not all(_is_count(word) for word in words):
        raise ShapeError(f"{path}: counts {counts[:40]!r}, expected vertices, faces, edges")
    num_vertices, num_faces = int(words[0]), int(words[1])
    if len(lines) != num_vertices + num_faces:
        cut = "truncated, " if len(lines) < num_vertices + num_faces else ""
        raise ShapeError(
            f"{path}: {cut}{len(lines)} lines of data found, expected {num_vertices} vertices and "
            f"{num_faces} faces"
        )
    vertices = table_of(path, lines[:num_vertices], "vertices")
    if vertices.shape[1] == 4:  # faces, if the counts are wrong
        raise ShapeError(
            f"{path}: vertices with 4 columns, expected 3, or also normals, colours or texture coordinates"
        )
    return _polygons(path, vertices[:, :3], *words_of(lines[num_vertices:]))


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 20


def _off_by_words(words: list[str]) -> Shape | None:
    """Three counts, three coordinates per vertex, polygons without colours; None for anything else."""
    if len(words) < 3 or not all(_is_count(word) for word in words[:3]):
        return None
    num_vertices, num_faces = int(words[0]), int(words[1])
    start = 3 + 3 * num_vertices
    try:
        vertices = numbers_of(Path(), words[3:start], "vertices").reshape(num_vertices, 3)
        polygons, widths = words[start:], []
        for _ in range(num_faces):
            widths.append(1 + max(0, int(words[start])))
            start += widths[-1]
        return _polygons(Path(), vertices, polygons, np.array(widths)) if start == len(words) else None
    except (ValueError, IndexError):
        return None


def _polygons(path: Path, vertices: np.ndarray, words: list[str], widths: np.ndarray) -> Shape:
    """Rows ``n i_1 ... i_n [colour]`` with ``widths`` words each, as triangles between vertices."""
    starts = np.cumsum(widths) - widths
    counts = numbers_of(path, [words[i] for i in starts.tolist()], "counts of corners", np.int64)
    others = widths - 1 - counts
    if (wrong := (counts < 1) | ~np.isin(others, _COLOURS)).any():
        number = int(np.flatnonzero(wrong)[0])
        row = " ".join(words[starts[number] : starts[number] + widths[number]])
        raise ShapeError(
            f"{path}: face {number} is {row[:40]!r}, expected a count of 1 or more, as many indices, and perhaps "
            "a colour of 1, 3 or 4 numbers"
        )
    ends = np.cumsum(counts)
    places = np.arange(counts.sum()) + np.repeat(starts + 1 - (ends - counts), counts)
    corners = [words[i] for i in places.tolist()]
    triangles = fans(counts, numbers_of(path, corners, "corners of faces", np.int64))
    return Shape(vertices, triangles, corners=counts_of_polygons(counts))
