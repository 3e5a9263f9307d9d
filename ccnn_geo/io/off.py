"""OFF, also as shape benchmarks bend it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ccnn_geo.io.shape import Shape, ShapeError
from ccnn_geo.io.text import fan_triangles, lines_of, table_of


def read_off(path: Path) -> Shape:
    lines = lines_of(path)
    header = re.match(r"(?:ST)?C?N?OFF", lines[0], re.I) if lines else None
    if header is None:
        raise ShapeError(f"{path}: starts with {lines[0][:20] if lines else ''!r}, expected OFF")
    rest = lines[0][header.end() :].strip()
    if rest.upper().startswith("BINARY"):
        raise ShapeError(f"{path}: binary OFF, expected text")
    counts, data = (rest, lines[1:]) if rest else ("".join(lines[1:2]), lines[2:])
    try:
        return _off_bylines_of(path, counts, data)
    except ShapeError:  # the plain kind may have its line ends anywhere
        words = " ".join([rest, *lines[1:]]).split()
        shape = _off_by_words(words) if header[0].upper() == "OFF" else None
        if shape is None:
            raise
        return shape


def _off_bylines_of(path: Path, counts: str, lines: list[str]) -> Shape:
    try:
        num_vertices, num_faces = (int(n) for n in counts.split()[:2])
    except ValueError:
        raise ShapeError(f"{path}: counts {counts[:40]!r}, expected vertices, faces, edges") from None
    if num_vertices < 0 or num_faces < 0 or len(lines) < num_vertices + num_faces:
        raise ShapeError(
            f"{path}: truncated, {len(lines)} lines of data found, expected {num_vertices} vertices and "
            f"{num_faces} faces"
        )
    vertices = table_of(path, lines[:num_vertices], "vertices")
    faces = lines[num_vertices : num_vertices + num_faces]
    return Shape(vertices[:, :3], fan_triangles(path, (line.split() for line in faces)))


def _off_by_words(words: list[str]) -> Shape | None:
    """Three counts, three coordinates a vertex, polygons without colours; None unless that is all there is."""
    try:
        num_vertices, num_faces = int(words[0]), int(words[1])
        start = 3 + 3 * num_vertices
        vertices = np.array(words[3:start], dtype=np.float64).reshape(num_vertices, 3)
        rows = []
        for _ in range(num_faces):
            rows.append(words[start : start + 1 + max(0, int(words[start]))])
            start += len(rows[-1])
        return Shape(vertices, fan_triangles(Path(), iter(rows))) if start == len(words) else None
    except (ValueError, IndexError):
        return None
