"""STL, text and binary; its triangles share no vertices."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo.io.shape import Shape, ShapeError

_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_FACET = ["facet", "outer", "vertex", "vertex", "vertex", "endloop", "endfacet"]


def read_stl(path: Path) -> Shape:
    """The triangles of all solids; normals are left out, for the order of the corners says the same."""
    content = path.read_bytes()
    count = int.from_bytes(content[80:84], "little")
    size = 84 + count * _RECORD.itemsize
    if len(content) >= 84 and len(content) == size:  # binary files may start with "solid" as well
        return _soup(np.frombuffer(content, _RECORD, count, 84)["corners"])
    if content[:100].lstrip()[:5].lower() != b"solid":
        raise ShapeError(
            f"{path}: {len(content)} bytes (truncated?), expected {size} for the {count} triangles of its header, "
            "or text that starts with 'solid'"
        )
    return _soup(_read_text(path, content.decode("latin-1")))


def _read_text(path: Path, text: str) -> np.ndarray:
    """Corners ``[F, 3, 3]``."""
    inside, facets = False, []
    for line in text.splitlines():
        row = line.split()
        if not row:
            continue
        key = row[0].lower()
        if key in ("solid", "endsolid"):
            if inside == (key == "solid"):
                raise ShapeError(f"{path}: line {line[:40]!r}, expected 'solid' and 'endsolid' in turn")
            inside = not inside
        elif not inside:
            raise ShapeError(f"{path}: line {line[:40]!r} outside of a solid, expected 'solid'")
        else:
            facets.append([key, *row[1:]])
    if inside:
        raise ShapeError(f"{path}: truncated, no 'endsolid' of the last solid, expected one")
    if [row[0] for row in facets] != _FACET * (len(facets) // len(_FACET)):
        raise ShapeError(f"{path}: expected facets of the lines {', '.join(_FACET)}, got others between them")
    corners = [row[1:] for row in facets if row[0] == "vertex"]
    if any(len(row) != 3 for row in corners):
        raise ShapeError(f"{path}: a vertex of other than three numbers, expected 'vertex x y z'")
    try:
        return np.array(corners, dtype=np.float64).reshape(-1, 3, 3)
    except ValueError as error:
        raise ShapeError(f"{path}: {error} among the vertices, expected numbers") from None


def _soup(corners: np.ndarray) -> Shape:
    vertices = corners.reshape(-1, 3).astype(np.float64)
    return Shape(vertices, np.arange(len(vertices), dtype=np.int64).reshape(-1, 3))
