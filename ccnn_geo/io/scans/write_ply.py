"""Writes a PLY with two more properties of its vertices; copies everything else byte by byte."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.ply_elements import Element, read_binary, read_header

AT_ONCE = 1 << 20
"""Rows in memory at a time, in two copies."""

_NAMES = {"f4": "float", "f8": "double", "i4": "int"}


def ply_header(row: np.dtype, points: int) -> bytes:
    """Header of a binary PLY of points, with the columns of a row type: floats and 32-bit integers."""
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {points}"]
    assert row.names is not None
    lines += [f"property {_NAMES[row[name].str[1:]]} {name}" for name in row.names]
    return "\n".join([*lines, "end_header", ""]).encode()


def ply_with(
    path: Path, label: np.ndarray, probability: np.ndarray, free_names: Callable[[Sequence[str]], list[str]]
) -> Iterator[bytes]:
    """Yields the parts of the new file.

    Raises:
        ShapeError: If the file is not a valid PLY.
        ValueError: If the number of labels differs from that of vertices, or a property of the vertices is a list.
    """
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    order, elements, start = read_header(path, content)
    vertex = next((element for element in elements if element.name == "vertex"), None)
    if vertex is None or vertex.count != len(label):
        found = 0 if vertex is None else vertex.count
        raise ValueError(f"{path}: {found} vertices, expected {len(label)}, one per label")
    if any(length is not None for _, _, length in vertex.properties):
        raise ValueError(f"{path}: vertices with lists, expected single numbers only")
    return _parts(path, content, order, elements, vertex, start, label, probability, free_names)


def _parts(
    path: Path,
    content: bytes,
    order: str,
    elements: Sequence[Element],
    vertex: Element,
    start: int,
    label: np.ndarray,
    probability: np.ndarray,
    free_names: Callable[[Sequence[str]], list[str]],
) -> Iterator[bytes]:
    names = free_names([name for name, _, _ in vertex.properties])
    yield _header_with(content[:start], names)
    before = elements[: [element.name for element in elements].index("vertex")]
    if order == "":
        yield from _lines_with(content[start:], sum(e.count for e in before), label, probability)
        return
    first = start
    for element in before:
        first = read_binary(path, element, content, first)[1]
    yield content[start:first]
    size = sum(kind.itemsize for _, kind, _ in vertex.properties)
    end = first + size * vertex.count
    rows = np.frombuffer(content, np.uint8, end - first, first).reshape(vertex.count, size)
    yield from rows_with(rows, label, probability, order)
    yield content[end:]


def rows_with(
    rows: np.ndarray, label: np.ndarray, probability: np.ndarray, order: str = "<"
) -> Iterator[bytes]:
    """Rows of bytes ``[N, S]``, each followed by 4 bytes of its label and 4 of its probability."""
    for start in range(0, len(rows), AT_ONCE):
        some, part = rows[start : start + AT_ONCE], slice(start, start + AT_ONCE)
        new = np.empty(len(some), [("label", f"{order}i4"), ("probability", f"{order}f4")])
        new["label"], new["probability"] = label[part], probability[part]
        yield np.concatenate([some, new.view(np.uint8).reshape(len(some), 8)], axis=1).tobytes()


def words_with(label: np.ndarray, probability: np.ndarray, place: int) -> bytes:
    """The text to append to a line."""
    return f" {label[place]} {probability[place]:.6g}".encode()


def _header_with(header: bytes, names: Sequence[str]) -> bytes:
    """The header with two more properties of the vertices."""
    lines = header.splitlines(keepends=True)
    end = lines[0][len(lines[0].rstrip(b"\r\n")) :]
    words = [line.split() for line in lines]
    first = next(i for i, line in enumerate(words) if line[:2] == [b"element", b"vertex"])
    last = max(
        i
        for i, line in enumerate(words)
        if line[:1] == [b"property"]
        and not any(w[:1] == [b"element"] for w in words[first + 1 : i])
        and i > first
    )
    new = [
        f"property {kind} {name}".encode() + end for kind, name in zip(("int", "float"), names, strict=True)
    ]
    return b"".join([*lines[: last + 1], *new, *lines[last + 1 :]])


def _lines_with(body: bytes, before: int, label: np.ndarray, probability: np.ndarray) -> Iterator[bytes]:
    place = -before
    for line in body.splitlines(keepends=True):
        text = line.rstrip(b"\r\n")
        if text.strip() and 0 <= place < len(label):
            yield text + words_with(label, probability, place) + line[len(text) :]
        else:
            yield line
        place += bool(text.strip())
