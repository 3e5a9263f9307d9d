"""PCD of the Point Cloud Library: text, binary, and binary compressed by LZF."""

from __future__ import annotations

import codecs
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.lzf import LARGEST_RATIO, decompress
from ccnn_geo.io.shapes.pcd_header import Field, Header, read_header
from ccnn_geo.io.shapes.shape import Shape, ShapeError
from ccnn_geo.io.shapes.text import is_blank, numbers_of

_COLOURS = ("rgb", "rgba")
_POSITION, _NORMAL = ("x", "y", "z"), ("normal_x", "normal_y", "normal_z")


def read_pcd(path: Path) -> Shape:
    """Reads positions, and normals if all three components exist; other fields and the viewpoint are left out.

    Supports versions .5 to .7, with fields of any type, size and count in any order.

    Source: https://pointclouds.org/documentation/tutorials/pcd_file_format.html
    """
    header, content = open_pcd(path)
    names = [field.name for field in header.fields]
    if missing := [name for name in _POSITION if name not in names]:
        raise ShapeError(
            f"{path}: fields {', '.join(names)[:80]} without {', '.join(missing)}, expected x, y, z"
        )
    wanted = _POSITION + (_NORMAL if set(_NORMAL) <= set(names) else ())
    fields = [field for name in wanted for field in header.fields if field.name == name]
    if len(fields) != len(wanted) or any(field.count != 1 for field in fields):
        raise ShapeError(
            f"{path}: fields {', '.join(names)[:80]}, expected one number each of {', '.join(wanted)}"
        )
    array = _READ[header.way](path, header, fields, content)
    return Shape(array[:, :3], None, array[:, 3:] if len(wanted) == 6 else None)


def read_fields(path: Path) -> dict[str, np.ndarray]:
    """Reads all fields of one number by name; integers keep their type, colours packed into a float become 32 bits.

    Raises:
        ShapeError: If the file is not PCD, two fields share a name, or a number does not fit its field's type.
    """
    header, content = open_pcd(path)
    fields = [field for field in header.fields if field.count == 1 and field.name != "_"]
    names = [field.name for field in fields]
    if len(set(names)) < len(names):
        raise ShapeError(f"{path}: fields {', '.join(names)[:80]}, expected different names")
    if header.way != "ascii":  # as floats some colours are NaN
        bits = np.dtype("<u4")
        fields = [replace(f, kind=bits) if f.name in _COLOURS and f.kind == "<f4" else f for f in fields]
    columns = _READ[header.way](path, header, fields, content).T
    return {f.name: _of_kind(path, f.name, values, f.kind) for f, values in zip(fields, columns, strict=True)}


def _of_kind(path: Path, name: str, values: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Converts numbers to an integer type; packed colours stay, because programs write them as any type."""
    if kind.kind == "f":
        return values
    limits = np.iinfo(kind)
    fit = (values == np.floor(values)) & (values >= limits.min) & (values < float(limits.max) + 1)
    if not fit.all():
        if name in _COLOURS:
            return values
        raise ShapeError(
            f"{path}: {values[int(np.argmin(fit))]:g} in the field {name}, expected whole numbers from {limits.min} to "
            f"{limits.max}"
        )
    return values.astype(kind)


def open_pcd(path: Path) -> tuple[Header, bytes]:
    """The header of a file, and all its bytes."""
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    return read_header(path, content), content


def _read_text(path: Path, header: Header, fields: list[Field], content: bytes) -> np.ndarray:
    """Chosen columns ``[N, len(fields)]`` in double precision, as from the other two formats."""
    rows = [row for line in content[header.start :].decode("latin-1").split("\n") if (row := line.split())]
    if len(rows) != header.points:
        cut = "truncated, " if len(rows) < header.points else ""
        raise ShapeError(f"{path}: {cut}{len(rows)} lines of points, expected {header.points}")
    if widths := {len(row) for row in rows} - {header.columns}:
        raise ShapeError(f"{path}: points of {sorted(widths)[:5]} numbers, expected {header.columns}")
    columns = [numbers_of(path, [row[field.column] for row in rows], "points") for field in fields]
    return np.stack(columns, axis=1)


def _read_binary(path: Path, header: Header, fields: list[Field], content: bytes) -> np.ndarray:
    size = header.points * header.row
    _expect(path, content, header.start + size)
    rows = np.frombuffer(content, np.uint8, size, header.start).reshape(header.points, header.row)
    columns = [rows[:, f.offset : f.offset + f.kind.itemsize].copy().view(f.kind) for f in fields]
    return np.concatenate(columns, axis=1, dtype=np.float64)


def _read_compressed(path: Path, header: Header, fields: list[Field], content: bytes) -> np.ndarray:
    block = compressed_block(path, header, content)
    columns = [np.frombuffer(block, f.kind, header.points, f.offset * header.points) for f in fields]
    return np.stack(columns, axis=1).astype(np.float64)


def compressed_block(path: Path, header: Header, content: bytes) -> bytes:
    """The bytes of all points, field after field.

    Raises:
        ShapeError: If they are damaged, or not as many as the header says.
    """
    start = header.start + 8
    if len(content) < start:
        raise ShapeError(f"{path}: truncated, {len(content)} bytes, expected {start} and more")
    packed, size = struct.unpack_from("<2I", content, header.start)
    if size != header.points * header.row or size > LARGEST_RATIO * packed:
        raise ShapeError(
            f"{path}: {packed} bytes packed from {size}, expected those of {header.points} points of {header.row} bytes"
        )
    _expect(path, content, start + packed)
    try:
        return bytes(decompress(content[start : start + packed], size))
    except ValueError as error:
        raise ShapeError(f"{path}: damaged, {error}") from None


def _expect(path: Path, content: bytes, size: int) -> None:
    """Refuses any other length, except trailing blanks; some releases of the library pad a file with zeros."""
    if len(content) < size:
        raise ShapeError(f"{path}: truncated, {len(content)} bytes, expected {size}")
    if not is_blank(content[size:]):
        raise ShapeError(f"{path}: {len(content) - size} bytes behind the last point, expected none")


_READ = {"ascii": _read_text, "binary": _read_binary, "binary_compressed": _read_compressed}
