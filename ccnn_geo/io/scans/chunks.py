"""Scans of any size, read in parts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ccnn_geo._base.caller import warn_caller
from ccnn_geo.io.las import las_chunks
from ccnn_geo.io.scans.bin_file import bin_layout, read_bin
from ccnn_geo.io.scans.bin_labels import read_labels
from ccnn_geo.io.scans.frames import Columns, Frame, las_columns, make_frame, read_columns
from ccnn_geo.io.scans.npy_file import open_npy, read_npy_columns
from ccnn_geo.io.scans.point_colours import CHANNELS, largest_colour, scaled_columns
from ccnn_geo.io.scans.point_labels import LABELS
from ccnn_geo.io.shapes.missing import MissingPoints, left_out

AT_ONCE = 1 << 20
"""Points per part."""


class Part(NamedTuple):
    """Some points of a scan, their indices in the file ``[M]``, and how many points of the file were read so far."""

    frame: Frame
    places: np.ndarray
    end: int


def read_chunks(
    path: Path,
    columns: Sequence[str] | None = None,
    column_type: str = "float32",
    label: str | None = None,
    needed: Collection[str] | None = None,
    at_once: int = AT_ONCE,
) -> Iterator[Part]:
    """Reads a scan as :func:`~ccnn_geo.io.scans.frames.read_frame` does, in parts, each with the indices of its points.

    ``.bin``, ``.npy``, ``.las`` and ``.laz`` are read in parts; ``.ply`` and ``.pcd`` as one part.

    Args:
        path: The file; further arguments are those of ``read_frame``.
        columns: Names of the numbers of a point in ``.bin``.
        column_type: Their type.
        label: Name of the column with the labels.
        needed: Measurements that must be finite; None for all.
        at_once: Points per part.

    Raises:
        ValueError: As ``read_frame`` does.
    """
    start, missing = 0, 0
    largest = _largest_of_npy(path, columns, at_once, needed) if path.suffix.lower() == ".npy" else None
    for found in _parts(path, columns, column_type, at_once, needed):
        frame, seen = make_frame(path, found, label, needed, largest)
        places, start = start + np.flatnonzero(seen), start + len(seen)
        missing += int(np.count_nonzero(~seen))
        yield Part(frame, places, start)
    if start == 0:
        raise ValueError(f"{path}: no points, expected one or more")
    if missing:
        warn_caller(left_out(path, np.arange(start) >= missing), MissingPoints)


def _parts(
    path: Path,
    columns: Sequence[str] | None,
    column_type: str,
    at_once: int,
    needed: Collection[str] | None,
) -> Iterator[Columns]:
    kind = path.suffix.lower()
    if kind == ".bin":
        points = bin_layout(path, columns, column_type)[2]
        for start in range(0, points, at_once):
            count = min(at_once, points - start)
            found = read_bin(path, columns, column_type, start, count)
            if (labels := read_labels(path, points, start, count)) is not None:
                found[LABELS[0]] = labels
            yield found
    elif kind == ".npy":
        for start in range(0, len(open_npy(path, columns).rows), at_once):
            yield read_npy_columns(path, columns, start, at_once)
    elif kind in (".las", ".laz"):
        largest = _largest_colour(path, at_once) if needed is None or {*needed} & {*CHANNELS} else 0
        for points_of in las_chunks(path, at_once):
            yield las_columns(points_of, largest)
    else:
        found = read_columns(path)
        if len(found["x"]):
            yield found


def _largest_of_npy(
    path: Path, columns: Sequence[str] | None, at_once: int, needed: Collection[str] | None
) -> int:
    """The largest colour of an array, as :func:`_largest_colour`; 0 if it is not needed."""
    scan = open_npy(path, columns)
    asked = scaled_columns(dict(zip(scan.names, scan.types, strict=True))) - {"intensity"}
    if not (asked if needed is None else asked & {*needed}):
        return 0
    parts = range(0, len(scan.rows), at_once)
    return max((largest_colour(read_npy_columns(path, columns, at, at_once)) for at in parts), default=0)


def _largest_colour(path: Path, at_once: int) -> int:
    """The largest colour of a LAS file, which reveals the number of bits of its colours."""
    return max((int(p.rgb.max(initial=0)) for p in las_chunks(path, at_once) if p.rgb is not None), default=0)
