"""Rows in an unnamed file, read and written by slices; the file disappears with the process in any case."""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike


class FileRows:
    """An array of rows on disk; a slice is a copy of its own size.

    Args:
        folder: A folder on the disk to use; the file has no name in it.
        dtype: Type of a row.
        count: Number of rows, zeros at first.

    Example:
        >>> rows = FileRows(Path(tempfile.gettempdir()), np.float32, 1000)
        >>> rows[10:12] = np.ones(2, np.float32)
        >>> rows[9:13]
        array([0., 1., 1., 0.], dtype=float32)
    """

    def __init__(self, folder: Path, dtype: DTypeLike, count: int) -> None:
        self._folder, self._count, self._row = folder, count, np.dtype([("row", dtype)])
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._file.truncate(count * self._row.itemsize)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: slice) -> np.ndarray:
        rows = self._seek(part)
        self._file.readinto(rows.view(np.uint8).data)
        return rows["row"]

    def __setitem__(self, part: slice, values: np.ndarray) -> None:
        rows = self._seek(part)
        rows["row"] = values
        try:
            self._file.write(rows.view(np.uint8).data)
            self._file.flush()
        except OSError as error:
            reason = f"intermediate results cannot be written: {error.strerror}"
            raise OSError(error.errno, reason, str(self._folder)) from error

    def scattered(self) -> np.ndarray:
        """All rows as an array that stays in the file, for scattered access."""
        return np.memmap(self._file, self._row, "r+", shape=(self._count,))["row"]

    def _seek(self, part: slice) -> np.ndarray:
        """Seeks the first row of a slice, and makes room for all its rows."""
        start, stop, _ = part.indices(self._count)
        self._file.seek(start * self._row.itemsize)
        return np.empty(max(0, stop - start), self._row)
