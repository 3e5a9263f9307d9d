"""The tables of a PLY file: elements and properties of any name, as text or binary in either byte order."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ccnn_geo.io.shapes.shape import ShapeError
from ccnn_geo.io.shapes.text import is_blank, numbers_of, split_lines

_TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
_TYPES |= {"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"}
_TYPES |= {f"{u}int{8 * n}": f"{u or 'i'}{n}" for u in ("", "u") for n in (1, 2, 4, 8)}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True, eq=False)
class Lists:
    """A list per row: the length of each, ``[N]``, and the values of all, one list after another."""

    count: np.ndarray
    values: np.ndarray


Columns = dict[str, "np.ndarray | Lists"]


@dataclass(frozen=True)
class Element:
    """An element of the header; a property has a name, a type and, for a list, the type of its length."""

    name: str
    count: int
    properties: list[tuple[str, np.dtype, np.dtype | None]]


def read_elements(path: Path) -> dict[str, Columns]:
    """Reads all elements with all properties; numbers have the type of the header, floats in text full precision.

    Raises:
        ShapeError: If the file is not PLY, or holds less or more than its header says.
    """
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    order, elements, start = read_header(path, content)
    tables: dict[str, Columns] = {}
    if order == "":
        lines = split_lines(content[start:].decode("latin-1"))
        rows, start = [line.split() for line in lines if line.strip()], 0
        for element in elements:
            tables[element.name], start = _read_text(path, element, rows, start)
        rest, what = len(rows) - start, "lines"
    else:
        for element in elements:
            tables[element.name], start = read_binary(path, element, content, start)
        rest, what = len(content) - start, "bytes"
    if rest > 0 and (order == "" or not is_blank(content[start:])):
        raise ShapeError(f"{path}: {rest} {what} behind the last element, expected none")
    return tables


def read_header(path: Path, content: bytes) -> tuple[str, list[Element], int]:
    """Byte order ('' for text), elements, and where the data begin."""
    first = re.match(rb"ply[ \t]*(\r\n|\n|\r)", content)
    if first is None:
        raise ShapeError(f"{path}: starts with {content[:20]!r}, expected a line 'ply'")
    order, position = None, first.end()
    elements: dict[str, Element] = {}
    while True:
        if position >= len(content):
            raise ShapeError(f"{path}: truncated, no end_header, expected a PLY header")
        end = content.find(first[1], position)
        end = len(content) if end < 0 else end
        line = content[position:end].decode("latin-1")
        position = end + len(first[1])
        match line.split():
            case ["end_header"]:
                break
            case ["format", name, _] if name in _ORDERS:
                order = _ORDERS[name]
            case ["element" | "property", *_] if order is None:
                raise ShapeError(
                    f"{path}: no line 'format' before {line!r}, expected one of {', '.join(_ORDERS)}"
                )
            case ["element", name, count] if count.isdecimal() and len(count) < 20 and name not in elements:
                elements[name] = last = Element(name, int(count), [])
            case ["property", kind, name] if kind in _TYPES and elements:
                last.properties.append((name, np.dtype(f"{order}{_TYPES[kind]}"), None))
            case ["property", "list", counted, kind, name] if elements and kind in _TYPES:
                length = np.dtype(f"{order}{_TYPES.get(counted, 'f4')}")
                if length.kind == "f":
                    raise ShapeError(f"{path}: header line {line!r}, expected lengths of an integer type")
                last.properties.append((name, np.dtype(f"{order}{_TYPES[kind]}"), length))
            case [] | ["comment" | "obj_info", *_]:
                pass
            case _:
                raise ShapeError(
                    f"{path}: header line {line[:80]!r}, expected a format, element or property of PLY"
                )
    if order is None:
        raise ShapeError(f"{path}: no line 'format' in the header, expected one of {', '.join(_ORDERS)}")
    for element in elements.values():
        names = [name for name, _, _ in element.properties]
        if len(set(names)) < len(names):
            raise ShapeError(f"{path}: properties {', '.join(names)}, expected different names")
    return order, [e for e in elements.values() if e.properties], position


def read_binary(path: Path, element: Element, body: bytes, start: int) -> tuple[Columns, int]:
    """Columns of an element, and where the next element begins."""
    if element.count == 0:
        return _none(element), start
    lengths = _first_lengths(element, body, start)
    if lengths is not None:  # usually all rows are as long as the first
        fields: list[tuple] = []
        for i, ((_, kind, length), n) in enumerate(zip(element.properties, lengths, strict=True)):
            fields += [(f"n{i}", length), (f"v{i}", kind, (n,))] if length is not None else [(f"v{i}", kind)]
        row = np.dtype(fields)
        if element.count * row.itemsize <= len(body) - start:
            rows = np.frombuffer(body, row, element.count, start)
            counted = [i for i, (_, _, length) in enumerate(element.properties) if length is not None]
            if all((rows[f"n{i}"] == lengths[i]).all() for i in counted):
                columns: Columns = {}
                for i, (name, _, length) in enumerate(element.properties):
                    values = rows[f"v{i}"]
                    columns[name] = values if length is None else Lists(rows[f"n{i}"], values.reshape(-1))
                return columns, start + rows.nbytes
    return _walk(path, element, body, start)


def _first_lengths(element: Element, body: bytes, start: int) -> list[int] | None:
    """Lengths of the lists in the first row, 1 for a single value; None if the row is not complete."""
    lengths = []
    for _, kind, length in element.properties:
        n = 1
        if length is not None:
            n = int.from_bytes(
                body[start : start + length.itemsize], _endian(length), signed=length.kind == "i"
            )
            start += length.itemsize
        start += n * kind.itemsize
        if n < 0 or start > len(body):
            return None
        lengths.append(n)
    return lengths


def _walk(path: Path, element: Element, body: bytes, start: int) -> tuple[Columns, int]:
    """Reads row by row, where lists differ in length."""
    pieces: list[list[bytes]] = [[] for _ in element.properties]
    counts: list[list[int]] = [[] for _ in element.properties]
    for row in range(element.count):
        for i, (_, kind, length) in enumerate(element.properties):
            n = 1
            if length is not None:
                size = body[start : start + length.itemsize]
                n = int.from_bytes(size, _endian(length), signed=length.kind == "i")
                start += length.itemsize
            end = start + n * kind.itemsize
            if n < 0 or end > len(body):
                raise ShapeError(
                    f"{path}: truncated in row {row} of element {element.name}, expected {element.count} of them"
                )
            counts[i].append(n)
            pieces[i].append(body[start:end])
            start = end
    columns: Columns = {}
    for (name, kind, length), some, count in zip(element.properties, pieces, counts, strict=True):
        values = np.frombuffer(b"".join(some), kind) if any(count) else np.empty(0, kind)
        columns[name] = values if length is None else Lists(np.array(count), values)
    return columns, start


def _read_text(path: Path, element: Element, rows: list[list[str]], start: int) -> tuple[Columns, int]:
    """Columns of a text element with one line per row, and the line where the next element begins."""
    end = start + element.count
    if end > len(rows):
        raise ShapeError(
            f"{path}: truncated, {len(rows) - start} lines of element {element.name} found, expected {element.count}"
        )
    lists = any(length is not None for _, _, length in element.properties)
    if not lists and {len(row) for row in rows[start:end]} == {len(element.properties)}:
        table = zip(element.properties, zip(*rows[start:end], strict=True), strict=True)
        return {n: _numbers(path, f"{element.name} {n}", words, kind) for (n, kind, _), words in table}, end
    values: list[list[str]] = [[] for _ in element.properties]
    counts: list[list[int]] = [[] for _ in element.properties]
    for row in rows[start:end]:
        at = 0
        for i, (_, _, length) in enumerate(element.properties):
            n = 1
            if length is not None:
                n = int(row[at]) if at < len(row) and row[at].isdecimal() else len(row)
                at += 1
            counts[i].append(n)
            values[i] += row[at : at + n]
            at += n
        if at != len(row):
            names = [
                name if length is None else f"{name} (a length and that many values)"
                for name, _, length in element.properties
            ]
            raise ShapeError(
                f"{path}: a line of element {element.name} is {' '.join(row)[:60]!r}, {len(row)} numbers, expected "
                f"{', '.join(names)}"
            )
    columns: Columns = {}
    for (name, kind, length), words, count in zip(element.properties, values, counts, strict=True):
        column = _numbers(path, f"{element.name} {name}", words, kind)
        columns[name] = column if length is None else Lists(np.array(count, dtype=np.int64), column)
    return columns, end


def _numbers(path: Path, what: str, words: Sequence[str], kind: np.dtype) -> np.ndarray:
    numbers = numbers_of(path, words, f"numbers of {what}")
    if kind.kind == "f":
        return numbers
    limits = np.iinfo(kind)
    # not <= max, which float64 rounds up for 64 bits
    fit = (numbers == np.floor(numbers)) & (numbers >= limits.min) & (numbers < float(limits.max) + 1)
    if not fit.all():
        raise ShapeError(
            f"{path}: {words[int(np.argmin(fit))][:40]!r} among the numbers of {what}, expected whole numbers from "
            f"{limits.min} to {limits.max}"
        )
    return numbers.astype(kind)


def _none(element: Element) -> Columns:
    empty = {name: np.empty(0, kind) for name, kind, _ in element.properties}
    return {
        name: empty[name] if length is None else Lists(np.empty(0, np.int64), empty[name])
        for name, _, length in element.properties
    }


def _endian(kind: np.dtype) -> Literal["little", "big"]:
    return "big" if kind.str[0] == ">" else "little"
