"""Chooses the reader of a file by its extension."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from ccnn_geo.io.las import read_las
from ccnn_geo.io.shapes.arrays import read_npy, read_npz
from ccnn_geo.io.shapes.glb import read_glb
from ccnn_geo.io.shapes.missing import without_missing
from ccnn_geo.io.shapes.obj import read_obj
from ccnn_geo.io.shapes.off import read_off
from ccnn_geo.io.shapes.pcd import read_pcd
from ccnn_geo.io.shapes.ply import read_ply
from ccnn_geo.io.shapes.shape import Shape, ShapeError, check_shape
from ccnn_geo.io.shapes.stl import read_stl
from ccnn_geo.io.shapes.text_cloud import SUFFIXES, check_names, read_text_cloud


def _read_scan(path: Path) -> Shape:
    try:
        return Shape(read_las(path).xyz)
    except ValueError as error:
        raise ShapeError(str(error)) from error


_READERS: dict[str, Callable[[Path], Shape]] = {
    ".off": read_off,
    ".obj": read_obj,
    ".ply": read_ply,
    ".stl": read_stl,
    ".glb": read_glb,
    ".npy": read_npy,
    ".npz": read_npz,
    ".xyz": read_text_cloud,
    ".pcd": read_pcd,
    ".txt": read_text_cloud,
    ".csv": read_text_cloud,
    ".pts": read_text_cloud,
    ".las": _read_scan,
    ".laz": _read_scan,
}

EXTENSIONS: tuple[str, ...] = tuple(_READERS)
"""Extensions that :func:`read_shape` reads, in lower case with the dot."""

TABLES = (".txt", ".csv", ".pts", ".las", ".laz")
"""Extensions that often mean something else: notes or tables beside shapes, or whole scans."""

_MAY_LACK_POINTS = (".pcd", ".ply")
"""Formats in which depth cameras write NaN for missing points."""


def read_shape(path: str | PathLike[str], columns: Sequence[str] | None = None) -> Shape:
    """Reads a mesh (.off .obj .ply .stl .glb) or a point cloud (those, .npy .npz .xyz .txt .csv .pts .pcd .las .laz).

    Polygons become triangle fans, and all parts of a scene become one mesh, each part in place. OFF headers with the
    counts glued to the keyword (``OFF490 518 0``, as in ModelNet40) are understood. Arrays are ``[N, 3]``, or
    ``[N, 6]`` with normals; archives hold one such array or ``pos`` and ``normal``; pickles are never loaded. In a
    table of six or more columns, and in an array of six, columns four to six are a normal if they have length one.
    They are left out if they are a colour (see :func:`~ccnn_geo.io.shapes.columns.normals_of`). Depth cameras write
    NaN for missing points of a PCD or PLY cloud; these are left out, and a warning (:class:`MissingPoints`) counts
    them. In text a ``#`` at the start of a line or after a blank begins a comment, and blanks, commas or semicolons
    separate cells; see :func:`~ccnn_geo.io.shapes.text_cloud.read_text_cloud`. LAS and LAZ need laspy (the extra
    ``data``).

    Normals of a mesh are ignored; normals of a cloud may be zero or NaN at some points.

    Args:
        path: The file; its extension decides the format.
        columns: Names of the columns of a text file, such as ``[x, y, z, nx, ny, nz, label]``, with ``_`` for an unused
            one. By default they come from the header, or follow the rules above. Other formats name their columns.

    Raises:
        ImportError: If the extra that reads the format is not installed.
        ShapeError: If the file does not exist, is empty, truncated, of an unknown kind or without vertices; if it has
            positions that are infinite or beyond 1e100, NaN in a mesh or in all points, words in place of numbers,
            columns that are neither normals nor colours, rows of a wrong length, faces out of range, or more or less
            than its header says.
    """
    path = Path(path)
    check_names(columns)
    reader = _READERS.get(path.suffix.lower())
    if reader is None and path.is_dir():
        raise ShapeError(f"{path}: a folder, expected one shape; name its files, such as {path / '*.off'}")
    if reader is None:
        raise ShapeError(
            f"{path}: unknown extension {path.suffix!r}, expected one of {', '.join(EXTENSIONS)}"
        )
    try:
        if not path.exists():
            raise ShapeError(f"{path}: no such file")
        if not path.is_file():
            raise ShapeError(f"{path}: not a file but a directory or device, expected one shape")
        if path.stat().st_size == 0:
            raise ShapeError(f"{path}: the file is empty, expected one shape")
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # about numbers that are refused below
            shape = reader(path) if path.suffix.lower() not in SUFFIXES else read_text_cloud(path, columns)
    except (ShapeError, ImportError):
        raise
    except OSError as error:
        raise ShapeError(
            f"{path}: cannot be read ({error.strerror or 'no reason given'}), expected a readable file"
        ) from error
    except (
        Exception
    ) as error:  # parsers raise many types on damaged input: struct.error, KeyError, zlib.error
        raise ShapeError(
            f"{path}: {path.stat().st_size} bytes that are not a {path.suffix} file, expected a complete one"
        ) from error
    if path.suffix.lower() in _MAY_LACK_POINTS:
        shape = without_missing(path, shape)
    return check_shape(path, shape)
