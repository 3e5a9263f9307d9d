"""Writes a PCD with two more fields; copies the rest byte by byte, decompressed if necessary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ccnn_geo.io.scans.write_ply import rows_with, words_with
from ccnn_geo.io.shapes.pcd import compressed_block, open_pcd
from ccnn_geo.io.shapes.pcd_header import Header

_NEW = {b"SIZE": (b"4", b"4"), b"TYPE": (b"I", b"F"), b"COUNT": (b"1", b"1")}


def pcd_with(
    path: Path, label: np.ndarray, probability: np.ndarray, free_names: Callable[[Sequence[str]], list[str]]
) -> Iterator[bytes]:
    """Yields the parts of the new file.

    Raises:
        ShapeError: If the file is not a valid PCD.
        ValueError: If the number of labels differs from that of points.
    """
    header, content = open_pcd(path)
    if header.points != len(label):
        raise ValueError(f"{path}: {header.points} points, expected {len(label)}, one per label")
    return _parts(path, header, content, label, probability, free_names)


def _parts(
    path: Path,
    header: Header,
    content: bytes,
    label: np.ndarray,
    probability: np.ndarray,
    free_names: Callable[[Sequence[str]], list[str]],
) -> Iterator[bytes]:
    names = free_names([field.name for field in header.fields])
    yield _header_with(content[: header.start], names)
    if header.way == "ascii":
        place = 0
        for line in content[header.start :].splitlines(keepends=True):
            text = line.rstrip(b"\r\n")
            yield text + words_with(label, probability, place) + line[len(text) :] if text.strip() else line
            place += bool(text.strip())
        return
    if header.way == "binary":
        size = header.points * header.row
        rows = np.frombuffer(content, np.uint8, size, header.start).reshape(header.points, header.row)
    else:
        block = np.frombuffer(compressed_block(path, header, content), np.uint8)
        rows = np.empty((header.points, header.row), np.uint8)
        for field in header.fields:
            width, first = field.count * field.kind.itemsize, field.offset * header.points
            column = block[first : first + width * header.points].reshape(header.points, width)
            rows[:, field.offset : field.offset + width] = column
    yield from rows_with(rows, label, probability)


def _header_with(header: bytes, names: Sequence[str]) -> bytes:
    lines = []
    for line in header.splitlines(keepends=True):
        text = line.rstrip(b"\r\n")
        end, words = line[len(text) :], text.partition(b"#")[0].split()
        if words[:1] in ([b"FIELDS"], [b"COLUMNS"]):
            text = b" ".join([*words, *(name.encode() for name in names)])
        elif words and words[0] in _NEW:
            text = b" ".join([*words, *_NEW[words[0]]])
        elif words == [b"DATA", b"binary_compressed"]:
            text = b"DATA binary"
        lines.append(text + end)
    return b"".join(lines)
