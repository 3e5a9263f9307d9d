"""OBJ: vertices and polygons; what they look like is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo.io.shape import Shape, ShapeError
from ccnn_geo.io.text import fan_triangles, lines_of


def read_obj(path: Path) -> Shape:
    """Vertices, vertex normals and polygons of all objects; indices count from 1, or back from the end."""
    rows: dict[str, list[str]] = {"v": [], "vn": []}
    faces = []
    for line in "\n".join(lines_of(path)).replace("\\\n", " ").splitlines():
        key, rest = (*line.split(None, 1), "")[:2]
        if key in rows:
            rows[key].append(rest)
        elif key == "f":
            corners = [int(corner.split("/")[0]) for corner in rest.split()]
            seen = len(rows["v"])
            if 0 in corners or len(corners) < 3:
                raise ShapeError(f"{path}: face {line!r}, expected three or more indices that are not 0")
            faces.append([str(len(corners)), *(str(i - 1 if i > 0 else seen + i) for i in corners)])
    if not rows["v"]:
        raise ShapeError(f"{path}: no vertices found, expected lines 'v x y z'")
    # a fourth column is a weight, a fourth to sixth a colour
    vertices = np.array([_row(path, row) for row in rows["v"]], dtype=np.float64)
    normals = np.array([_row(path, row) for row in rows["vn"]], dtype=np.float64) if rows["vn"] else None
    if normals is not None and len(normals) != len(vertices):
        normals = None
    return Shape(vertices, fan_triangles(path, iter(faces)), normals)


def _row(path: Path, text: str) -> list[float]:
    values = [float(value) for value in text.split()]
    if len(values) < 3:
        raise ShapeError(f"{path}: row {text!r} has {len(values)} columns, expected 3 or more")
    return values[:3]
