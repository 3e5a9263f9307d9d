"""Writes the prediction for a scan in the scan's own format: adds a class and its probability to each point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ccnn_geo.io.files.mapped import write_rows
from ccnn_geo.io.files.row_file import RowFile
from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.io.scans.bin_file import SKIPPED, bin_layout
from ccnn_geo.io.scans.npy_file import NpyScan, open_npy
from ccnn_geo.io.scans.write_las import las_with
from ccnn_geo.io.scans.write_pcd import pcd_with
from ccnn_geo.io.scans.write_ply import ply_header, ply_with
from ccnn_geo.io.shapes.arrays import ArrayHeader

FORMATS = {
    ".las": (".las", ".laz"),
    ".laz": (".laz", ".las"),
    ".ply": (".ply",),
    ".pcd": (".pcd",),
    ".bin": (".ply", ".npy"),
    ".npy": (".npy",),
}
"""Formats for the prediction, by the extension of the scan; the first is the default."""

AT_ONCE = 1 << 20
"""Rows of a ``.bin`` or ``.npy`` in memory at a time."""

NAMES = ("predicted", "probability")
"""Names of the two new columns; with ``_2`` and so on if a file already has them."""


def free_names(taken: Sequence[str], wanted: Sequence[str] = NAMES) -> list[str]:
    """Names for new columns that do not clash with those of a file.

    Example:
        >>> free_names(["x", "predicted"])
        ['predicted_2', 'probability']
    """
    found = []
    for name in wanted:
        number = 1
        while (free := name if number == 1 else f"{name}_{number}") in taken:
            number += 1
        found.append(free)
    return found


def answer_file(path: Path) -> str:
    """Name for the prediction of a scan: ``scan_labelled.laz`` for ``scan.laz``, ``.ply`` for ``.bin``.

    Raises:
        ValueError: If the extension is not that of a scan.
    """
    return f"{path.stem}_labelled{_formats(path)[0]}"


def check_answer(path: Path, out: Path) -> None:
    """Refuses targets that :func:`write_answer` could not write, before the long work begins.

    Raises:
        ValueError: If the target has the wrong format, or is the scan itself.
    """
    formats = _formats(path)
    if out.suffix.lower() not in formats:
        raise ValueError(
            f"{out}: expected {' or '.join(formats)} for the prediction of {path.name}, got {out.suffix!r}"
        )
    if out.exists() and out.samefile(path):
        raise ValueError(f"{out}: the scan itself, expected another file for the prediction")


def write_answer(
    path: Path,
    out: Path,
    label: np.ndarray,
    probability: np.ndarray,
    columns: Sequence[str] | None = None,
    column_type: str = "float32",
) -> None:
    """Writes a scan with two more columns, ``predicted`` and ``probability``; all or nothing.

    The contents of the scan are copied byte by byte. In LAS and LAZ the class also replaces ``classification``, if that
    field can hold the number (0 to 31 in point formats 0 to 5, up to 255 in others); the old value is kept as
    ``given_classification``. A compressed PCD becomes a binary one. ``.bin`` cannot store names: it becomes a PLY, or a
    ``.npy`` of rows with named columns, and so does any other ``.npy``.

    Args:
        path: The scan.
        out: The file to write.
        label: Class of each point of the file.
        probability: Probability of that class.
        columns: Names of the numbers of a point in ``.bin`` or ``.npy``.
        column_type: Their type in ``.bin``.

    Shapes:
        ``label [N]`` int32, ``probability [N]`` float32

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If the target has the wrong format, or the number of labels differs from that of points.
    """
    check_answer(path, out)
    kind = path.suffix.lower()
    if kind in (".bin", ".npy"):
        scan = open_npy(path, columns) if kind == ".npy" else _open_bin(path, columns, column_type)
        _write_rows(path, scan, out, label, probability)
    elif kind in (".las", ".laz"):
        compress = out.suffix.lower() == ".laz"
        write_atomic(out, partial(las_with, path, label, probability, compress, free_names))
    else:
        parts = {".ply": ply_with, ".pcd": pcd_with}[kind]
        write_atomic(out, partial(_write_parts, parts(path, label, probability, free_names)))


def _formats(path: Path) -> tuple[str, ...]:
    formats = FORMATS.get(path.suffix.lower())
    if formats is None:
        raise ValueError(f"{path}: unknown extension {path.suffix!r}, expected a scan: {' '.join(FORMATS)}")
    return formats


def _write_parts(parts: Iterable[bytes], file: BinaryIO) -> None:
    for part in parts:
        file.write(part)


def _open_bin(path: Path, columns: Sequence[str] | None, column_type: str) -> NpyScan:
    names, kind, points = bin_layout(path, columns, column_type)
    return NpyScan(RowFile(path, ArrayHeader((points, len(names)), False, kind, 0)), names)


def _write_rows(path: Path, scan: NpyScan, out: Path, label: np.ndarray, probability: np.ndarray) -> None:
    points = len(scan.rows)
    if len(label) != points:
        raise ValueError(f"{path}: {points} points, expected {len(label)}, one per label")
    named = [f"unused_{i}" if name == SKIPPED else name for i, name in enumerate(scan.names)]
    new = dict(zip(free_names(named), ("<i4", "<f4"), strict=True))
    row = np.dtype([*zip(named, scan.types, strict=True), *new.items()])

    def rows() -> Iterator[np.ndarray]:
        for start in range(0, points, AT_ONCE):
            given = scan.columns(start, AT_ONCE)
            some = np.empty(len(given[0]), row)
            answers = [values[start : start + AT_ONCE] for values in (label, probability)]
            for name, values in zip([*named, *new], [*given, *answers], strict=True):
                some[name] = values
            yield some

    if out.suffix.lower() == ".npy":
        write_rows(out, row, (points,), rows())
    else:
        content = (some.tobytes() for some in rows())
        write_atomic(out, partial(_write_parts, chain([ply_header(row, points)], content)))
