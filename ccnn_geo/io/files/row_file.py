"""Rows of numbers in a file, read and not mapped: a process ends where a file that it has mapped becomes shorter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.arrays import ArrayHeader


def read_numbers(path: Path, kind: np.dtype, count: int, start: int = 0) -> np.ndarray:
    """So many numbers, or rows of named columns, from a byte of a file on.

    Raises:
        OSError: If it cannot be opened.
        ValueError: If there are fewer, for the file has changed since its size was asked for.
    """
    found = np.empty(count, kind)
    with path.open("rb") as file:
        file.seek(start)
        check_read(path, file.readinto(found.view(np.uint8).data), found.nbytes)
    return found


def check_read(path: Path, found: int, expected: int) -> None:
    """Refuses less of a file than its size said a moment before.

    Raises:
        ValueError: If so many bytes are less than expected.
    """
    if found < expected:
        raise ValueError(
            f"{path}: {found} bytes where {expected} were, expected a file that stays as it is while it is read"
        )


@dataclass(frozen=True)
class RowFile:
    """Rows ``[N]`` of named columns or ``[N, K]`` of numbers in a file.

    Args:
        path: The file.
        header: What the rows are, and where they begin.
    """

    path: Path
    header: ArrayHeader

    def __len__(self) -> int:
        return self.header.shape[0]

    def read(self, start: int = 0, count: int | None = None) -> np.ndarray:
        """Some rows.

        Raises:
            OSError: If the file cannot be opened.
            ValueError: If it has become shorter.
        """
        shape, fortran, kind, first = self.header  # of which all numbers were there
        some = max(0, min(len(self) - start, len(self) if count is None else count))
        width = math.prod(shape[1:])
        if fortran and len(shape) > 1:  # column after column
            column = len(self) * kind.itemsize
            places = (first + column * i + start * kind.itemsize for i in range(width))
            columns = [read_numbers(self.path, kind, some, place) for place in places]
            return np.stack(columns, axis=1, dtype=kind)
        found = read_numbers(self.path, kind, some * width, first + start * width * kind.itemsize)
        return found.reshape(some, *shape[1:])
