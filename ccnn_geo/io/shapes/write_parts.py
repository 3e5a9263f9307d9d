"""Writes the prediction for a mesh or cloud as a PLY: a part, its probability and a colour for each face or point."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.io.shapes.shape import Shape

_FIELDS = [("red", "u1"), ("green", "u1"), ("blue", "u1"), ("label", "<i4"), ("probability", "<f4")]
_NAMES = {"f8": "double", "f4": "float", "i4": "int", "u1": "uchar"}


def write_parts(
    path: Path, shape: Shape, label: np.ndarray, probability: np.ndarray, names: Sequence[str]
) -> None:
    """Writes a binary PLY, all or nothing; its comments name the parts by number.

    Polygons are written as the triangles that they were read as, each with the label of its polygon. Coordinates stay
    as in the shape, in double precision.

    Args:
        path: The file.
        shape: The shape, as read.
        label: Part of each face in the shape's file, or of each point, as a number.
        probability: Probability of that part.
        names: Names of the parts.

    Shapes:
        ``label [P]``, ``probability [P]``

    Raises:
        ValueError: If the number of labels differs from that of faces or points.
        OSError: If the file cannot be written.
    """
    if not len(label) == len(probability) == shape.num_parts:
        raise ValueError(
            f"{path}: {len(label)} labels and {len(probability)} probabilities, expected {shape.num_parts} of each"
        )
    vertex: list[tuple[str, str]] = [(name, "<f8") for name in "xyz"]
    if shape.faces is None and shape.normals is not None:
        vertex += [(name, "<f8") for name in ("nx", "ny", "nz")]
    points = np.empty(len(shape.vertices), np.dtype(vertex + (_FIELDS if shape.faces is None else [])))
    for i, name in enumerate("xyz"):
        points[name] = shape.vertices[:, i]
    if shape.faces is None:
        if shape.normals is not None:
            for i, name in enumerate(("nx", "ny", "nz")):
                points[name] = shape.normals[:, i]
        _fill(points, label, probability, names)
        tables = [("vertex", points)]
    else:
        faces = np.empty(len(shape.faces), np.dtype([("count", "u1"), ("corners", "<i4", (3,)), *_FIELDS]))
        faces["count"], faces["corners"] = 3, shape.faces
        _fill(faces, label[shape.polygon], probability[shape.polygon], names)
        tables = [("vertex", points), ("face", faces)]

    def write(file: BinaryIO) -> None:
        file.write(_header(tables, names))
        for _, table in tables:
            file.write(table.tobytes())

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, write)


def _fill(table: np.ndarray, label: np.ndarray, probability: np.ndarray, names: Sequence[str]) -> None:
    colours = np.array([*part_colours(len(names)), (127, 127, 127)], dtype=np.uint8)  # grey: no part
    for i, name in enumerate(("red", "green", "blue")):
        table[name] = colours[label, i]
    table["label"], table["probability"] = label, probability


def part_colours(num: int) -> list[tuple[int, int, int]]:
    """Distinct colours: hues by the golden ratio, in three degrees of lightness.

    Example:
        >>> len(set(part_colours(100)))
        100
    """
    found = []
    for i in range(num):
        red, green, blue = colorsys.hls_to_rgb(0.6180339887 * i % 1, (0.45, 0.6, 0.3)[i % 3], 0.75)
        found.append((round(255 * red), round(255 * green), round(255 * blue)))
    return found


def _header(tables: Sequence[tuple[str, np.ndarray]], names: Sequence[str]) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment label {i} {name}".replace("\n", " ") for i, name in enumerate(names)]
    for element, table in tables:
        lines.append(f"element {element} {len(table)}")
        for name, (kind, *_) in (table.dtype.fields or {}).items():
            if name == "corners":
                lines.append("property list uchar int vertex_indices")
            elif name != "count":  # the length of the list
                lines.append(f"property {_NAMES[kind.str[1:]]} {name}")
    return "\n".join([*lines, "end_header", ""]).encode()
