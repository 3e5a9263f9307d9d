"""STL, text and binary; triangles share no vertices."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.shape import Shape, ShapeError
from ccnn_geo.io.shapes.text import is_blank, numbers_of, split_lines, text_of

_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_FACET = ("facet", "outer", "vertex", "vertex", "vertex", "endloop", "endfacet")
_KEYS = {"solid", "endsolid", *_FACET}


def read_stl(path: Path) -> Shape:
    """Reads the triangles of all solids; normals are left out, because the order of the corners implies them."""
    content = path.read_bytes()
    count = int.from_bytes(content[80:84], "little")
    size = 84 + count * _RECORD.itemsize
    if 84 <= size <= len(content) and is_blank(content[size:]):  # binary files may start with "solid" as well
        return _soup(np.frombuffer(content, _RECORD, count, 84)["corners"])
    text = text_of(content.rstrip(b"\0"))  # some programs pad to a block
    if text[:100].lstrip()[:5].lower() == "solid" and "\0" not in text:
        return _soup(_read_text(path, text))
    if len(content) >= 84 and b"\0" in content:
        wrong = "truncated" if len(content) < size else f"{len(content) - size} behind the last triangle"
        raise ShapeError(
            f"{path}: {len(content)} bytes ({wrong}), expected {size} for the {count} triangles of its header"
        )
    raise ShapeError(
        f"{path}: starts with {content[:20]!r}, {len(content)} bytes, expected 'solid', or 84 bytes and 50 per triangle"
    )


def _read_text(path: Path, text: str) -> np.ndarray:
    """Corners ``[F, 3, 3]``; skips lines of a solid that begin with a word unknown to STL (colours)."""
    inside, state = False, 0
    corners = []
    for number, line in enumerate(split_lines(text), 1):
        words = line.split()
        if not words:
            continue
        key = words[0].lower()
        if key == "end" and len(words) > 1:
            key += words[1].lower()
        if inside and key == _FACET[state]:
            state = (state + 1) % len(_FACET)
            if key == "vertex":
                corners += words[1:]
                if len(words) != 4:
                    raise ShapeError(
                        f"{path}: line {number} is {line.strip()[:40]!r}, expected 'vertex x y z'"
                    )
        elif state == 0 and key == ("endsolid" if inside else "solid"):
            inside = not inside
        elif not inside or key in _KEYS:
            expected = _FACET[state] + ("' or 'endsolid" if state == 0 else "") if inside else "solid"
            raise ShapeError(f"{path}: line {number} is {line.strip()[:40]!r}, expected '{expected}'")
    if inside:
        raise ShapeError(f"{path}: truncated, no 'endsolid' of the last solid, expected one")
    return numbers_of(path, corners, "vertices").reshape(-1, 3, 3)


def _soup(corners: np.ndarray) -> Shape:
    vertices = corners.reshape(-1, 3).astype(np.float64)
    return Shape(vertices, np.arange(len(vertices), dtype=np.int64).reshape(-1, 3))
