"""The header of a PCD: the columns of a point and their types, the number of points, and the encoding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.shape import ShapeError

_VERSIONS = (".5", ".6", ".7", "0.5", "0.6", "0.7")
_SIZES = {"F": (4, 8), "I": (1, 2, 4, 8), "U": (1, 2, 4, 8)}
_WAYS = ("ascii", "binary", "binary_compressed")
_KEYS = {"COLUMNS": "FIELDS"} | {
    key: key
    for key in (
        "VERSION",
        "FIELDS",
        "SIZE",
        "TYPE",
        "COUNT",
        "WIDTH",
        "HEIGHT",
        "VIEWPOINT",
        "POINTS",
        "DATA",
    )
}


@dataclass(frozen=True)
class Field:
    """One or more columns, and the bytes and columns of a row before them."""

    name: str
    kind: np.dtype
    count: int
    offset: int
    column: int


@dataclass(frozen=True)
class Header:
    """The header of a file, and where its data begin."""

    fields: list[Field]
    points: int
    way: str
    start: int

    @property
    def row(self) -> int:
        """Bytes per point."""
        return self.fields[-1].offset + self.fields[-1].count * self.fields[-1].kind.itemsize

    @property
    def columns(self) -> int:
        """Numbers per point."""
        return self.fields[-1].column + self.fields[-1].count


def read_header(path: Path, content: bytes) -> Header:
    """Reads the header at the beginning of a file.

    Raises:
        ShapeError: If it is not a header of versions .5 to .7, or contradicts itself.
    """
    said: dict[str, list[str]] = {}
    position = 0
    while "DATA" not in said:
        if position >= len(content):
            raise ShapeError(f"{path}: truncated, no line DATA, expected a PCD header")
        end = content.find(b"\n", position)
        end = len(content) if end < 0 else end
        line = content[position:end].decode("latin-1")
        position = end + 1
        words = line.partition("#")[0].split()
        if not words:
            continue
        key = _KEYS.get(words[0])
        if key is None or key in said:
            raise ShapeError(f"{path}: header line {line[:80]!r}, expected each of {', '.join(_KEYS)} once")
        said[key] = words[1:]
    if "VERSION" in said and " ".join(said["VERSION"]) not in _VERSIONS:
        raise ShapeError(
            f"{path}: version {' '.join(said['VERSION'])[:20]}, expected one of {', '.join(_VERSIONS)}"
        )
    if " ".join(said["DATA"]) not in _WAYS:
        raise ShapeError(f"{path}: data {' '.join(said['DATA'])[:20]!r}, expected one of {', '.join(_WAYS)}")
    return Header(_fields(path, said), _points(path, said), said["DATA"][0], position)


def _fields(path: Path, said: dict[str, list[str]]) -> list[Field]:
    names, sizes, types = (said.get(key, []) for key in ("FIELDS", "SIZE", "TYPE"))
    counts = said.get("COUNT", ["1"] * len(names))
    if not names or not len(names) == len(sizes) == len(types) == len(counts):
        raise ShapeError(
            f"{path}: {len(names)} fields with {len(sizes)} sizes, {len(types)} types and {len(counts)} counts, "
            "expected as many of each"
        )
    fields, offset, column = [], 0, 0
    for name, size, kind, given in zip(names, sizes, types, counts, strict=True):
        count = _whole(path, "COUNT", given)
        if _whole(path, "SIZE", size) not in _SIZES.get(kind, ()) or count == 0:
            raise ShapeError(
                f"{path}: field {name[:20]} with TYPE {kind[:20]}, SIZE {size[:20]}, COUNT {given[:20]}, expected F of "
                "4 or 8 bytes, I or U of 1, 2, 4 or 8, once or more"
            )
        fields.append(Field(name, np.dtype(f"<{kind.lower()}{int(size)}"), count, offset, column))
        offset, column = offset + count * int(size), column + count
    return fields


def _points(path: Path, said: dict[str, list[str]]) -> int:
    found = {}
    for key in ("WIDTH", "HEIGHT", "POINTS"):
        if key in said:
            found[key] = _whole(path, key, " ".join(said[key]))
    if not {"WIDTH", "POINTS"} & set(found):
        raise ShapeError(f"{path}: neither WIDTH nor POINTS in the header, expected the number of points")
    height = found.get("HEIGHT", 1)
    points = found.get("POINTS", found.get("WIDTH", 0) * height)
    if "WIDTH" in found and found["WIDTH"] * height != points:
        raise ShapeError(
            f"{path}: WIDTH {found['WIDTH']}, HEIGHT {height} and POINTS {points}, expected their product"
        )
    return points


def _whole(path: Path, key: str, word: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) < 20):
        raise ShapeError(f"{path}: {key} {word[:20]!r}, expected a whole number")
    return int(word)
