"""Arrays that stay in their file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike

from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.io.shapes.arrays import map_array


class MappedArray:
    """Rows of a ``.npy`` file, read on access; other processes receive the path only.

    Raises:
        ValueError: If the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows = map_array(path)
        self.shape = self._rows.shape

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.array(self._rows[index])

    def __reduce__(self) -> tuple:
        return MappedArray, (self.path,)


def write_rows(target: Path, dtype: DTypeLike, shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> None:
    """Writes a ``.npy`` file chunk by chunk, with one chunk in memory at a time."""

    def write(file: BinaryIO) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in chunks:
            file.write(np.ascontiguousarray(chunk, dtype).data)

    write_atomic(target, write)
