"""Rows that lie in a file without a name: written and read by slices, and gone with the process whatever ends it."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike


class FileRows:
    """An array of rows on the disk; a slice of it is a copy, as large as the slice and no larger.

    Args:
        folder: On whose disk; the file has no name in it.
        dtype: Of a row.
        count: Number of rows, zeros at first.

    Example:
        >>> rows = FileRows(Path(tempfile.gettempdir()), np.float32, 1000)
        >>> rows[10:12] = np.ones(2, np.float32)
        >>> rows[9:13]
        array([0., 1., 1., 0.], dtype=float32)
    """

    def __init__(self, folder: Path, dtype: DTypeLike, count: int) -> None:
        self._folder, self._count, self._row = folder, count, np.dtype([("row", dtype)])
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._file.truncate(count * self._row.itemsize)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: slice) -> np.ndarray:
        start, stop, _ = part.indices(self._count)
        content = os.pread(
            self._file.fileno(), (stop - start) * self._row.itemsize, start * self._row.itemsize
        )
        return np.frombuffer(bytearray(content), self._row)["row"]

    def __setitem__(self, part: slice, values: np.ndarray) -> None:
        start, stop, _ = part.indices(self._count)
        rows = np.empty(stop - start, self._row)
        rows["row"] = values
        left, place = rows.view(np.uint8).data, start * self._row.itemsize
        try:
            while left:
                done = os.pwrite(self._file.fileno(), left, place)
                left, place = left[done:], place + done
        except OSError as error:
            reason = f"intermediate results cannot be written: {error.strerror}"
            raise OSError(error.errno, reason, str(self._folder)) from error

    def scattered(self) -> np.ndarray:
        """All rows as an array that stays in the file, for rows here and there."""
        return np.memmap(self._file, self._row, "r+", shape=(self._count,))["row"]
