"""Writes a LAS or LAZ file with a class and its probability for every point, through laspy."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ccnn_geo._base.extras import needs

AT_ONCE = 1 << 20
"""Points in memory at a time."""


def las_with(
    path: Path,
    label: np.ndarray,
    probability: np.ndarray,
    compress: bool,
    free_names: Callable[[Sequence[str], Sequence[str]], list[str]],
    file: BinaryIO,
) -> None:
    """Writes the new file; the contents of its points are copied unchanged.

    Raises:
        ImportError: If laspy is missing, or lazrs for a compressed file.
        ValueError: If the number of labels differs from that of points.
    """
    with needs("data", "write_answer"):
        import laspy
    with laspy.open(path) as reader:
        if reader.header.point_count != len(label):
            raise ValueError(
                f"{path}: {reader.header.point_count} points, expected {len(label)}, one per label"
            )
        header = copy.deepcopy(reader.header)
        low, high = (int(f(label, initial=0)) for f in (np.min, np.max))
        fits = low >= 0 and high <= (31 if header.point_format.id < 6 else 255)
        wanted = ["predicted", "probability", "given_classification"][: 3 if fits else 2]
        names = free_names(list(header.point_format.dimension_names), wanted)
        kinds = ["u1" if low >= 0 and high <= 255 else "i4", "f4", "u1"]
        header.add_extra_dims(
            [laspy.ExtraBytesParams(name, kind) for name, kind in zip(names, kinds, strict=False)]
        )
        header.vlrs = [
            record for record in header.vlrs if record.user_id != "copc"
        ]  # a different order of points
        with laspy.open(file, mode="w", header=header, do_compress=compress, closefd=False) as writer:
            start = 0
            for some in reader.chunk_iterator(AT_ONCE):
                part = slice(start, start + len(some))
                writer.write_points(_with(laspy, some, header, names, label[part], probability[part]))
                start = part.stop
            if records := [r for r in reader.evlrs or () if r.user_id != "copc"]:
                writer.write_evlrs(laspy.vlrs.vlrlist.VLRList(records))


def _with(
    laspy: Any, some: Any, header: Any, names: Sequence[str], label: np.ndarray, probability: np.ndarray
) -> Any:
    points = laspy.ScaleAwarePointRecord.zeros(len(some), header=header)
    for name in some.array.dtype.names:
        points.array[name] = some.array[name]
    if len(names) == 3:
        points[names[2]] = np.array(some.classification)
        points.classification = label.astype(np.uint8)
    points[names[0]], points[names[1]] = label, probability
    return points
