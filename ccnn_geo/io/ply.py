"""PLY: vertices, polygons of any size, normals."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo.io.ply_elements import Columns, Lists, read_elements
from ccnn_geo.io.shape import Shape, ShapeError
from ccnn_geo.io.text import fans


def read_ply(path: Path) -> Shape:
    """Vertices, faces and normals; whatever else the file holds is left out."""
    elements = read_elements(path)
    vertex = elements.get("vertex", {})
    if missing := [name for name in "xyz" if not isinstance(vertex.get(name), np.ndarray)]:
        raise ShapeError(f"{path}: no {', '.join(missing)} of the vertices, expected properties x, y, z")
    vertices, normals = (
        np.stack([vertex[n] for n in names], axis=1).astype(np.float64)
        if all(isinstance(vertex.get(n), np.ndarray) for n in names)
        else None
        for names in (("x", "y", "z"), ("nx", "ny", "nz"))
    )
    if "face" not in elements and "tristrips" in elements:
        raise ShapeError(f"{path}: triangle strips, expected an element 'face'")
    return Shape(vertices, _faces(path, elements.get("face", {})), normals)


def _faces(path: Path, columns: Columns) -> np.ndarray | None:
    lists = {name: column for name, column in columns.items() if isinstance(column, Lists)}
    named = [lists[name] for name in ("vertex_indices", "vertex_index") if name in lists]
    corners = (named or list(lists.values()) or [None])[0]
    if corners is None:
        if any(len(column) for column in columns.values()):
            raise ShapeError(f"{path}: faces of {', '.join(columns)}, expected a list 'vertex_indices'")
        return None
    if corners.values.dtype.kind not in "iu":
        raise ShapeError(f"{path}: faces of type {corners.values.dtype}, expected integers")
    return fans(corners.count, corners.values.astype(np.int64))
