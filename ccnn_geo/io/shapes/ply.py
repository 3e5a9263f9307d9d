"""PLY: vertices, polygons of any size, normals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.ply_elements import Columns, Lists, read_elements
from ccnn_geo.io.shapes.shape import Shape, ShapeError
from ccnn_geo.io.shapes.text import fans


def read_ply(path: Path) -> Shape:
    """Vertices, faces and normals; whatever else the file holds is left out."""
    elements = read_elements(path)
    vertex = elements.get("vertex", {})
    if missing := [name for name in "xyz" if not isinstance(vertex.get(name), np.ndarray)]:
        raise ShapeError(f"{path}: no {', '.join(missing)} of the vertices, expected properties x, y, z")
    vertices, normals = _stacked(vertex, ("x", "y", "z")), _stacked(vertex, ("nx", "ny", "nz"))
    assert vertices is not None
    if "face" not in elements and "tristrips" in elements:
        raise ShapeError(f"{path}: triangle strips, expected an element 'face'")
    return Shape(vertices, _faces(path, elements.get("face", {})), normals)


def _stacked(columns: Columns, names: Sequence[str]) -> np.ndarray | None:
    """Columns of numbers side by side in double precision, if there are all of them."""
    found = [c for c in map(columns.get, names) if isinstance(c, np.ndarray)]
    return np.stack(found, axis=1).astype(np.float64) if len(found) == len(names) else None


def _faces(path: Path, columns: Columns) -> np.ndarray | None:
    lists = {name: column for name, column in columns.items() if isinstance(column, Lists)}
    named = [lists[name] for name in ("vertex_indices", "vertex_index") if name in lists]
    corners = next(iter(named or lists.values()), None)
    if corners is None:
        if any(len(column) for column in columns.values() if isinstance(column, np.ndarray)):
            raise ShapeError(f"{path}: faces of {', '.join(columns)}, expected a list 'vertex_indices'")
        return None
    if corners.values.dtype.kind not in "iu":
        raise ShapeError(f"{path}: faces of type {corners.values.dtype}, expected integers")
    return fans(corners.count, corners.values.astype(np.int64))
