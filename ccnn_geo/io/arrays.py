"""Point clouds as arrays: .npy, .npz and tables of text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccnn_geo.io.shape import Shape, ShapeError
from ccnn_geo.io.text import lines_of, table_of


def read_npz(path: Path) -> Shape:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        keys = list(archive)
        if "pos" in keys:
            arrays = [archive["pos"]] + ([archive["normal"]] if "normal" in keys else [])
        elif len(keys) == 1:
            arrays = [archive[keys[0]]]
        else:
            raise ShapeError(f"{path}: arrays {keys}, expected 'pos' and perhaps 'normal', or a single array")
    if len(arrays) == 2 and (arrays[1].shape != arrays[0].shape or arrays[0].shape[1:] != (3,)):
        raise ShapeError(
            f"{path}: pos {list(arrays[0].shape)} and normal {list(arrays[1].shape)}, expected [N, 3] twice"
        )
    return _cloud(path, arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1))


def read_npy(path: Path) -> Shape:
    with path.open("rb") as file:
        return _cloud(path, np.load(file, allow_pickle=False))


def read_xyz(path: Path) -> Shape:
    table = table_of(path, lines_of(path), "points")
    if table.shape[1] in (4, 5):
        raise ShapeError(
            f"{path}: {table.shape[1]} columns, expected 3 (position) or 6 and more (and normal)"
        )
    return _cloud(path, table[:, :6])


def _cloud(path: Path, array: np.ndarray) -> Shape:
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] not in (3, 6):
        raise ShapeError(
            f"{path}: array {list(array.shape)} of {array.dtype}, expected [N, 3] (position) or [N, 6] (and "
            f"normal) of real numbers"
        )
    array = array.astype(np.float64)
    return Shape(array[:, :3], None, array[:, 3:] if array.shape[1] == 6 else None)
