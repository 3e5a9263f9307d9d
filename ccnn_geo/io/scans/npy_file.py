"""Scans in ``.npy``: rows of named columns, or numbers ``[N, 3 + k]`` with declared columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ccnn_geo.io.files.row_file import RowFile
from ccnn_geo.io.scans.bin_file import KITTI, SKIPPED, check_columns
from ccnn_geo.io.shapes.arrays import open_array


class NpyScan(NamedTuple):
    """A scan that leaves its numbers in the file.

    Args:
        rows: ``[N]`` with named columns, or numbers ``[N, K]``.
        names: Names of the columns, in order; ``_`` for an unused one.
    """

    rows: RowFile
    names: tuple[str, ...]

    @property
    def types(self) -> list[np.dtype]:
        """Types of the columns."""
        kind = self.rows.header.dtype
        return [kind] * len(self.names) if kind.names is None else [kind[name] for name in kind.names]

    def columns(self, start: int = 0, count: int | None = None) -> list[np.ndarray]:
        """Numbers of some points, one array per column."""
        part = self.rows.read(start, count)
        return list(part.T) if part.dtype.names is None else [part[name] for name in part.dtype.names]


def open_npy(path: Path, columns: Sequence[str] | None = None) -> NpyScan:
    """Opens a scan in an array; x, y and z must be among its columns.

    Args:
        path: The file.
        columns: Names for unnamed columns; by default x, y, z and, if there are four, intensity, as in a ``.bin`` of
            KITTI, otherwise ``column_4`` and so on.

    Raises:
        ValueError: If the array has another form, or other columns than declared.
        OSError: If the file cannot be opened.
    """
    header = open_array(path)
    kind, shape = header.dtype, header.shape
    if kind.names is not None:
        wrong = [name for name in kind.names if kind[name].kind not in "fiub"]
        if len(shape) != 1 or wrong or not {"x", "y", "z"} <= set(kind.names):
            raise ValueError(
                f"{path}: rows {list(shape)} of {', '.join(kind.names)}, expected [N] of numbers, x, y, z "
                "among them"
            )
        return NpyScan(RowFile(path, header), kind.names)
    if len(shape) != 2 or shape[1] < 3 or kind.kind not in "fiu":
        raise ValueError(f"{path}: an array {list(shape)} of {kind}, expected a scan [N, 3] or wider")
    check_columns(columns, "float32")
    width = shape[1]
    names = tuple(
        columns or (KITTI if width == 4 else ("x", "y", "z", *(f"column_{i + 1}" for i in range(3, width))))
    )
    if len(names) != width:
        raise ValueError(
            f"{path}: {width} columns, the option 'columns' names {len(names)}: {', '.join(names)}"
        )
    return NpyScan(RowFile(path, header), names)


def read_npy_columns(
    path: Path, columns: Sequence[str] | None = None, start: int = 0, count: int | None = None
) -> dict[str, np.ndarray]:
    """Reads the used columns of a scan by name.

    Args:
        path: The file.
        columns: As for :func:`open_npy`.
        start: The first point to read.
        count: Number of points; None for all from there on.

    Raises:
        ValueError: As for :func:`open_npy`.
        OSError: If it cannot be opened.
    """
    scan = open_npy(path, columns)
    found = zip(scan.names, scan.columns(start, count), strict=True)
    return {name: values for name, values in found if name != SKIPPED}
