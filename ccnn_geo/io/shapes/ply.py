"""PLY: vertices, polygons of any size, normals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.ply_elements import Columns, Lists, read_elements
from ccnn_geo.io.shapes.shape import Shape, ShapeError
from ccnn_geo.io.shapes.text import counts_of_polygons, fans

_CORNERS = ("vertex_indices", "vertex_index")


def read_ply(path: Path) -> Shape:
    """Reads vertices, faces and normals; everything else in the file is left out."""
    elements = read_elements(path)
    vertex = elements.get("vertex", {})
    if missing := [name for name in "xyz" if not isinstance(vertex.get(name), np.ndarray)]:
        raise ShapeError(f"{path}: no {', '.join(missing)} of the vertices, expected properties x, y, z")
    vertices, normals = _stacked(vertex, ("x", "y", "z")), _stacked(vertex, ("nx", "ny", "nz"))
    assert vertices is not None
    if any(map(_num_rows, elements.get("tristrips", {}).values())):
        raise ShapeError(f"{path}: triangle strips, expected an element 'face' alone")
    if "face" not in elements and (
        others := [name for name, columns in elements.items() if set(_CORNERS) & set(columns)]
    ):
        raise ShapeError(f"{path}: faces in an element {others[0]!r}, expected one called 'face'")
    corners = _corners(path, elements.get("face", {}))
    if corners is None:
        return Shape(vertices, None, normals)
    triangles = fans(corners.count, corners.values.astype(np.int64))
    return Shape(vertices, triangles, normals, corners=counts_of_polygons(corners.count))


def _stacked(columns: Columns, names: Sequence[str]) -> np.ndarray | None:
    """Columns of numbers side by side in double precision, if all of them exist."""
    found = [c for c in map(columns.get, names) if isinstance(c, np.ndarray)]
    return np.stack(found, axis=1).astype(np.float64) if len(found) == len(names) else None


def _num_rows(column: np.ndarray | Lists) -> int:
    return len(column.count if isinstance(column, Lists) else column)


def _corners(path: Path, columns: Columns) -> Lists | None:
    lists = {name: column for name, column in columns.items() if isinstance(column, Lists)}
    named = [lists[name] for name in _CORNERS if name in lists]
    corners = next(iter(named or lists.values()), None)
    if corners is None:
        if any(map(_num_rows, columns.values())):
            raise ShapeError(f"{path}: faces of {', '.join(columns)}, expected a list 'vertex_indices'")
        return None
    if corners.values.dtype.kind not in "iu":
        raise ShapeError(f"{path}: faces of type {corners.values.dtype}, expected integers")
    return corners
