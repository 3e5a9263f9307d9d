"""Rows of numbers in a file, read and not mapped: a process dies when a mapped file becomes shorter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccnn_geo.io.shapes.arrays import ArrayHeader


def read_numbers(path: Path, kind: np.dtype, count: int, start: int = 0) -> np.ndarray:
    """Reads ``count`` numbers, or rows of named columns, from byte ``start`` of a file.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it holds fewer, because it has changed since its size was read.
    """
    found = np.empty(count, kind)
    with path.open("rb") as file:
        file.seek(start)
        check_read(path, file.readinto(found.view(np.uint8).data), found.nbytes)
    return found


def check_read(path: Path, found: int, expected: int) -> None:
    """Refuses a file that has become shorter than its size a moment ago.

    Raises:
        ValueError: If ``found`` bytes are fewer than ``expected``.
    """
    if found < expected:
        raise ValueError(
            f"{path}: {found} bytes where {expected} were, expected a file that does not change while it is read"
        )


@dataclass(frozen=True)
class RowFile:
    """Rows ``[N]`` of named columns or ``[N, K]`` of numbers in a file.

    Args:
        path: The file.
        header: Type and shape of the rows, and where they begin.
    """

    path: Path
    header: ArrayHeader

    def __len__(self) -> int:
        return self.header.shape[0]

    def read(self, start: int = 0, count: int | None = None) -> np.ndarray:
        """Reads some rows.

        Raises:
            OSError: If the file cannot be opened.
            ValueError: If it has become shorter.
        """
        shape, fortran, kind, first = self.header  # the file was complete
        some = max(0, min(len(self) - start, len(self) if count is None else count))
        width = math.prod(shape[1:])
        if fortran and len(shape) > 1:  # stored column by column
            column = len(self) * kind.itemsize
            places = (first + column * i + start * kind.itemsize for i in range(width))
            columns = [read_numbers(self.path, kind, some, place) for place in places]
            return np.stack(columns, axis=1, dtype=kind)
        found = read_numbers(self.path, kind, some * width, first + start * width * kind.itemsize)
        return found.reshape(some, *shape[1:])
