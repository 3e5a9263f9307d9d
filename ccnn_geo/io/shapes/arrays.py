"""Point clouds as arrays: .npy and .npz."""

from __future__ import annotations

import io
import math
import sys
import zipfile
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ccnn_geo.io.shapes.columns import normals_of
from ccnn_geo.io.shapes.shape import Shape, ShapeError
from ccnn_geo.io.shapes.voxels import NAMES, is_grid, voxel_shape

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_LONGEST = 2**17
"""First bytes of a file, which contain the header of an array; numpy accepts headers up to 10,000 bytes."""

INFLATION = 1032
"""Most bytes that one deflated byte can expand to."""


class ArrayHeader(NamedTuple):
    """Type and shape of an array in a file, and where its numbers begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    start: int

    @property
    def nbytes(self) -> int:
        """Size of the numbers in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_npz(path: Path) -> Shape:
    """Reads the cloud or grid of an ``.npz`` archive."""
    content = path.read_bytes()  # an open file would allocate what the directory claims
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if "pos" in members:
            names = ["pos", *(["normal"] if "normal" in members else [])]
        elif len(members) == 1:
            names = list(members)
        elif (grid := next((name for name in NAMES if name in members), None)) is not None:
            names = [grid, *(["spacing"] if "spacing" in members else [])]
        else:
            raise ShapeError(
                f"{path}: arrays {list(members)}, expected 'pos' and perhaps 'normal', 'voxels' and perhaps 'spacing', "
                "or a single array"
            )
        arrays = [read_member(path, archive, members[name], len(content)) for name in names]
    if names[0] in NAMES and is_grid(arrays[0]):
        return voxel_shape(path, *arrays)
    if len(arrays) == 2 and (arrays[1].shape != arrays[0].shape or arrays[0].shape[1:] != (3,)):
        raise ShapeError(
            f"{path}: pos {list(arrays[0].shape)} and normal {list(arrays[1].shape)}, expected [N, 3] twice"
        )
    if len(arrays) == 1:
        return array_cloud(path, arrays[0])
    return Shape(array_cloud(path, arrays[0]).vertices, None, array_cloud(path, arrays[1]).vertices)


def read_npy(path: Path) -> Shape:
    """Reads the cloud of an ``.npy`` file."""
    return array_cloud(path, parse_array(path, path.read_bytes()))


def read_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> np.ndarray:
    """Reads an array from an archive of ``size`` bytes; allocates no more memory than it takes.

    Raises:
        ShapeError: If it claims more than the archive can hold, or is not an array of numbers or words.
    """
    if (
        info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        or info.compress_size > size
        or info.file_size > INFLATION * size
    ):
        raise ShapeError(
            f"{path}: {info.filename} of {info.file_size} bytes in {info.compress_size}, compressed by method "
            f"{info.compress_type}, expected at most {INFLATION * size}, stored or deflated"
        )
    content = bytearray()
    with archive.open(info) as member:
        while part := member.read(2**20):
            content += part
    return parse_array(path, content)


def parse_array(path: Path, content: bytes | bytearray) -> np.ndarray:
    """The array in the content of an ``.npy`` file; shares the memory of that content.

    Raises:
        ShapeError: If it is not an array of numbers or words, or holds less or more than its header says.
    """
    header = parse_header(path, content[:_LONGEST])
    found, expected = len(content) - header.start, header.nbytes
    if found != expected:
        cut = "truncated, " if found < expected else ""
        raise ShapeError(
            f"{path}: {cut}{found} bytes, expected {expected} of {list(header.shape)} {header.dtype}"
        )
    if header.dtype.kind == "U":
        letters = np.frombuffer(
            content, np.dtype("u4").newbyteorder(header.dtype.byteorder), expected // 4, header.start
        )
        if letters.max(initial=0) > sys.maxunicode:
            raise ShapeError(f"{path}: the character code {letters.max()}, expected at most {sys.maxunicode}")
    count = math.prod(header.shape)
    flat = (
        np.frombuffer(content, header.dtype, count, header.start) if expected else np.empty(0, header.dtype)
    )
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def open_array(path: Path) -> ArrayHeader:
    """The header of the array in a complete ``.npy`` file.

    Raises:
        ShapeError: As :func:`parse_array`.
    """
    with path.open("rb") as file:
        header = parse_header(path, file.read(_LONGEST))
    found = path.stat().st_size - header.start
    if found < header.nbytes:
        raise ShapeError(
            f"{path}: truncated, {found} bytes, expected {header.nbytes} of {list(header.shape)} {header.dtype}"
        )
    return header


def map_array(path: Path) -> np.memmap | np.ndarray:
    """The array of an ``.npy`` file, memory-mapped.

    Raises:
        ShapeError: As :func:`parse_array`.
    """
    header = open_array(path)
    if header.nbytes == 0:  # an empty array cannot be mapped
        return np.empty(header.shape, header.dtype)
    order: Literal["F", "C"] = "F" if header.fortran else "C"
    return np.memmap(path, header.dtype, "r", header.start, header.shape, order)


def parse_header(path: Path, content: bytes | bytearray) -> ArrayHeader:
    """Parses the beginning of an ``.npy`` file.

    Raises:
        ShapeError: If it is a different format, or holds Python objects.
    """
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ShapeError(f"{path}: array format {version}, expected one of {list(_HEADERS)}")
        shape, fortran, dtype = _HEADERS[version](file)
    except ShapeError:
        raise
    except Exception as error:  # a header is Python source, and its parser raises many types
        raise ShapeError(
            f"{path}: starts with {bytes(content[:20])!r}, expected the header of an .npy array"
        ) from error
    if dtype.hasobject:
        raise ShapeError(f"{path}: Python objects (they would need allow_pickle), expected numbers")
    if min(shape, default=0) < 0:
        raise ShapeError(f"{path}: an array {list(shape)}, expected lengths of 0 or more")
    return ArrayHeader(shape, fortran, dtype, file.tell())


def array_cloud(name: Path | str, array: np.ndarray) -> Shape:
    """Converts an array to a cloud.

    Shapes:
        ``array [N, 3]``, positions, or ``[N, 6]``, with normals or colours behind them; ``[X, Y, Z]``, occupied cells

    Raises:
        ShapeError: If the array has another shape, or its columns are ambiguous.
    """
    if is_grid(array):
        return voxel_shape(name, array)
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] not in (3, 6):
        raise ShapeError(
            f"{name}: array {list(array.shape)} of {array.dtype}, expected [N, 3] (position) or [N, 6] (and "
            f"normal or colour) of real numbers, or a grid [X, Y, Z] of occupied cells"
        )
    array = array.astype(np.float64)
    return Shape(array[:, :3], None, normals_of(name, array[:, 3:]) if array.shape[1] == 6 else None)
