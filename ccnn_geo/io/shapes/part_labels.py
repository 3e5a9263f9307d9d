"""Reads the part of each face of a mesh, or of each point of a cloud, from the file or from one beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccnn_geo.io.cloud_file import read_cloud
from ccnn_geo.io.scans.point_labels import IGNORED, LABELS, label_column, whole_labels
from ccnn_geo.io.shapes.ply_elements import read_elements
from ccnn_geo.io.shapes.read import read_shape
from ccnn_geo.io.shapes.shape import Shape, ShapeError
from ccnn_geo.io.shapes.text import lines_of, numbers_of, split_lines, text_of
from ccnn_geo.io.shapes.text_cloud import SUFFIXES, read_text_columns

BESIDE = ("_labels.txt", ".seg")
"""Endings of label files, in place of the extension of the shape."""


@dataclass(frozen=True, eq=False)
class PartLabels:
    """Names of parts, and the part of each face of a mesh or point of a cloud.

    Args:
        names: Names of the parts, in the order of their numbers.
        index: ``[P]`` int64, from 0; -1 where the part is unknown.
    """

    names: tuple[str, ...]
    index: np.ndarray


def read_labelled_shape(
    path: Path, columns: Sequence[str] | None = None, label: str | None = None
) -> tuple[Shape, PartLabels]:
    """Reads a shape with the part of each of its faces or points.

    The labels come from the first of these that exists:

    * ``NAME_labels.txt`` beside ``NAME.off``: a line with the name of a part, then a line with the numbers of its
      faces, from 1, empty for none, and so on;
    * ``NAME.seg``: a whole number for each face or point, in their order;
    * the file itself: a property of the faces or vertices of a PLY, an array of an archive or a column of a text file,
      called ``label`` or ``class``, or named by ``label``; whole numbers, below 0 for no part.

    Numbers become the names of the parts.

    Args:
        path: The shape.
        columns: Names of the columns of a text file.
        label: Name of the column or property.

    Raises:
        ShapeError: If the shape is not valid, or the labels are missing or do not match the number of faces or points.

    Source: X. Chen, A. Golovinskiy, T. Funkhouser, A Benchmark for 3D Mesh Segmentation, SIGGRAPH 2009 (``.seg``).
    """
    shape = read_shape(path, columns)
    beside = labels_beside(path)
    if beside is None:
        return shape, _inside(path, shape, columns, label)
    if beside.name.endswith(BESIDE[0]):
        return shape, _read_named(beside, shape)
    return shape, _read_numbered(beside, shape)


def labels_beside(path: Path) -> Path | None:
    """The label file beside a shape's file, if there is one."""
    return next((file for end in BESIDE if (file := path.with_name(path.stem + end)).is_file()), None)


def _read_named(path: Path, shape: Shape) -> PartLabels:
    num = shape.num_parts if shape.present is None else len(shape.present)
    index = np.full(num, IGNORED, dtype=np.int64)
    names: dict[str, int] = {}
    for name, words in _named_lines(path):
        part = names.setdefault(name, len(names))
        faces = numbers_of(path, words.split(), f"faces of {name[:40]!r}", np.int64)
        if len(faces) and (faces.min() < 1 or faces.max() > num):
            raise ShapeError(
                f"{path}: {name[:40]!r} has faces {faces.min()} to {faces.max()}, expected 1 to {num}"
            )
        others = (index[faces - 1] != IGNORED) & (index[faces - 1] != part)
        if others.any():
            face = faces[others.argmax()]
            other = list(names)[index[face - 1]]
            raise ShapeError(
                f"{path}: face {face} is of {other[:40]!r} and of {name[:40]!r}, expected one part"
            )
        index[faces - 1] = part
    if (index == IGNORED).all():
        raise ShapeError(
            f"{path}: no face has a part, expected the name of a part and the numbers of its faces"
        )
    return PartLabels(tuple(names), index if shape.present is None else index[shape.present])


def _named_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Names with the line behind each; the line is empty for a part without faces; a name may contain a ``#``."""
    lines = [line.strip() for line in split_lines(text_of(path.read_bytes()))]
    if not lines[-1]:  # the end of the previous line
        lines.pop()
    place = 0
    while place < len(lines):
        name = lines[place]
        if name:
            if "\ufffd" in name:
                raise ShapeError(f"{path}: the name {name[:40]!r} is not in UTF-8, expected UTF-8 text")
            if place + 1 == len(lines) or (len(name.split()) > 1 and name.replace(" ", "").isdecimal()):
                raise ShapeError(
                    f"{path}: line {place + 1} is {name[:40]!r}, expected pairs: the name of a part, and the "
                    f"numbers of its faces"
                )
            yield name, lines[place + 1]
            place += 1
        place += 1


def _read_numbered(path: Path, shape: Shape) -> PartLabels:
    words = " ".join(lines_of(path)).split()
    return _of_numbers(path, numbers_of(path, words, "labels"), shape)


def _inside(path: Path, shape: Shape, columns: Sequence[str] | None, label: str | None) -> PartLabels:
    found = _columns(path, shape, columns, label)
    try:
        name = label_column(path, found, label)
    except ValueError as error:
        raise ShapeError(str(error)) from error
    if name is not None:
        return _of_numbers(path, found[name], shape)
    beside = " or ".join(path.stem + end for end in BESIDE)
    raise ShapeError(
        f"{path}: no labels of its {_elements(shape)}, expected {beside} beside it, or a column 'label' in it"
    )


def _columns(
    path: Path, shape: Shape, columns: Sequence[str] | None, label: str | None
) -> Mapping[str, np.ndarray]:
    """Columns of the file with a number for each face or point.

    Raises:
        ShapeError: If the labels of an archive do not have one.
    """
    kind = path.suffix.lower()
    if kind == ".ply":
        element = read_elements(path).get("vertex" if shape.faces is None else "face", {})
        return {name: values for name, values in element.items() if isinstance(values, np.ndarray)}
    if shape.faces is not None:
        return {}
    if kind in SUFFIXES:
        return read_text_columns(path, columns)
    if kind not in (".npz", ".pcd", ".las", ".laz"):
        return {}
    cloud = read_cloud(path)
    there = any(name.lower() in LABELS for name in cloud.fields)
    for name, sizes in cloud.others.items():
        if name == label or (label is None and not there and name.lower() in LABELS):
            raise ShapeError(f"{path}: {name} {list(sizes)}, expected [{len(cloud.pos)}], one per point")
    return cloud.fields


def _of_numbers(path: Path, values: np.ndarray, shape: Shape) -> PartLabels:
    if shape.present is not None and len(values) == len(shape.present):
        values = values[shape.present]
    if len(values) != shape.num_parts:
        raise ShapeError(
            f"{path}: {len(values)} labels, expected {shape.num_parts}, the number of {_elements(shape)}"
        )
    try:
        whole = whole_labels(path, "label", values)
    except ValueError as error:
        raise ShapeError(str(error)) from error
    known, index = np.unique(whole, return_inverse=True)
    below = int(np.count_nonzero(known < 0))
    return PartLabels(tuple(str(code) for code in known[below:].tolist()), np.maximum(index - below, IGNORED))


def _elements(shape: Shape) -> str:
    return "points" if shape.faces is None else "faces"
