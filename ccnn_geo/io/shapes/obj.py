"""OBJ: vertices and polygons; materials are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.shape import Shape, ShapeError
from ccnn_geo.io.shapes.text import counts_of_polygons, fans, lines_of, numbers_of, words_of


def read_obj(path: Path) -> Shape:
    """Vertices and polygons of all objects, or vertices and their normals if there are no polygons.

    Indices count from 1, or back from the last vertex before them. Polygons of one or two corners have no area and are
    left out.
    """
    rows: dict[str, list[str]] = {"v": [], "vn": []}
    faces, seen, surfaces = [], [], 0
    for line in lines_of(path, continued=True):
        key, rest = (*line.split(None, 1), "")[:2]
        if key in rows:
            rows[key].append(rest)
        elif key in ("f", "fo"):  # the same, in older files
            faces.append(rest)
            seen.append(len(rows["v"]))
        elif key == "call":
            raise ShapeError(f"{path}: {line[:60]!r} refers to another file, expected a single file")
        surfaces += key == "surf"
    if not rows["v"]:
        raise ShapeError(f"{path}: no vertices found, expected lines 'v x y z'")
    if surfaces and not faces:  # their vertices do not lie on the surface
        raise ShapeError(f"{path}: {surfaces} free-form surfaces, expected polygons, lines 'f i j k'")
    # a fourth column is a weight, a fourth to sixth a colour
    vertices, (triangles, corners) = _triples(path, rows["v"], "vertices"), _triangles(path, faces, seen)
    normals = None
    if len(triangles) == 0 and len(rows["vn"]) == len(vertices):
        normals = _triples(path, rows["vn"], "normals")
    return Shape(vertices, triangles, normals, corners=corners)


def _triples(path: Path, rows: list[str], what: str) -> np.ndarray:
    """The first three numbers of each row ``[N, 3]``."""
    words, widths = words_of(rows)
    if widths.min() < 3:
        row = rows[int(widths.argmin())]
        raise ShapeError(
            f"{path}: row {row[:40]!r} of the {what} has {widths.min()} columns, expected 3 or more"
        )
    numbers = numbers_of(path, words, what)
    return numbers[(np.cumsum(widths) - widths)[:, None] + np.arange(3)]


def _triangles(path: Path, lines: list[str], seen: list[int]) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows ``i_1[/t_1[/n_1]] ...`` as triangles ``[F, 3]``, and their corners; ``seen`` counts the vertices before."""
    words, counts = words_of(lines)
    words = [word.partition("/")[0] if "/" in word else word for word in words]
    corners = numbers_of(path, words, "corners of faces", np.int64)
    of = np.repeat(np.arange(len(lines)), counts)
    wrong = np.concatenate([np.flatnonzero(counts == 0), of[corners == 0]])
    if len(wrong):
        raise ShapeError(
            f"{path}: face {f'f {lines[wrong.min()]}'[:40]!r}, expected one or more indices that are not 0"
        )
    before = np.array(seen, dtype=np.int64)[of]
    triangles = fans(counts, np.where(corners > 0, corners - 1, before + corners))
    return triangles, counts_of_polygons(counts)
