"""Point clouds as arrays: .npy, .npz and tables of text."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path

import numpy as np

from ccnn_geo.io.shape import Shape, ShapeError
from ccnn_geo.io.text import lines_of, table_of

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}

_INFLATION = 1032
"""Bytes that one deflated byte can become, at most."""


def read_npz(path: Path) -> Shape:
    content = path.read_bytes()  # of a file as much would be asked for as the directory claims
    largest = _INFLATION * len(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if "pos" in members:
            names = ["pos", *(["normal"] if "normal" in members else [])]
        elif len(members) == 1:
            names = list(members)
        else:
            raise ShapeError(
                f"{path}: arrays {list(members)}, expected 'pos' and perhaps 'normal', or a single array"
            )
        arrays = []
        for info in (members[name] for name in names):
            if (
                info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                or info.file_size > largest
            ):
                raise ShapeError(
                    f"{path}: {info.filename} of {info.file_size} bytes, compressed by method {info.compress_type}, "
                    f"expected at most {largest}, stored or deflated"
                )
            with archive.open(info) as member:
                arrays.append(_array(path, member.read()))
    if len(arrays) == 2 and (arrays[1].shape != arrays[0].shape or arrays[0].shape[1:] != (3,)):
        raise ShapeError(
            f"{path}: pos {list(arrays[0].shape)} and normal {list(arrays[1].shape)}, expected [N, 3] twice"
        )
    return _cloud(path, arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1))


def read_npy(path: Path) -> Shape:
    return _cloud(path, _array(path, path.read_bytes()))


def _array(path: Path, content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ShapeError(f"{path}: array format {version}, expected one of {list(_HEADERS)}")
    shape, fortran, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        raise ShapeError(f"{path}: Python objects, which would need allow_pickle, expected numbers")
    found, expected = len(content) - file.tell(), math.prod(shape) * dtype.itemsize
    if found < expected:
        raise ShapeError(f"{path}: truncated, {found} bytes, expected {expected} of {list(shape)} {dtype}")
    flat = np.frombuffer(content, dtype, math.prod(shape), file.tell()) if expected else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


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
