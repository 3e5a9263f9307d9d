"""Files of laser scans: positions, measurements and labels of points."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from ccnn_geo._base.caller import warn_caller
from ccnn_geo.io.las import LasPoints, read_las
from ccnn_geo.io.scans.bin_file import read_bin
from ccnn_geo.io.scans.bin_labels import read_labels
from ccnn_geo.io.scans.npy_file import read_npy_columns
from ccnn_geo.io.scans.point_colours import unit_colours, unit_rgb16
from ccnn_geo.io.scans.point_labels import LABELS, label_column, whole_labels
from ccnn_geo.io.shapes.missing import MissingPoints, left_out, present
from ccnn_geo.io.shapes.pcd import read_fields
from ccnn_geo.io.shapes.ply_elements import read_elements
from ccnn_geo.io.shapes.read import read_shape

READING = 2
"""Version of the reader; part of the name of stored files."""

LARGEST = 1e30
"""Largest coordinate and measurement; differences still fit into float32."""

Columns = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Frame:
    """One scan.

    Args:
        xyz: ``[N, 3]`` float64, in the units of the file, usually metres.
        fields: Measurements ``[N]`` by name; integer intensities and colours are divided by the largest value of
            their type (see :func:`~ccnn_geo.io.scans.point_colours.unit_colours`).
        labels: ``[N]`` int64 as in the file, -1 where a point has none; or None.
        path: The file, for messages.
    """

    xyz: np.ndarray
    fields: Columns
    labels: np.ndarray | None
    path: Path | None = None


def read_frame(
    path: str | PathLike[str],
    columns: Sequence[str] | None = None,
    column_type: str = "float32",
    label: str | None = None,
    needed: Collection[str] | None = None,
) -> Frame:
    """Reads a scan by its extension: ``.bin``, ``.npy``, ``.las``, ``.laz``, ``.ply``, ``.pcd``.

    Labels are the classification of a LAS file, or a column of a PLY or PCD file or a declared column with a name in
    :data:`~ccnn_geo.io.scans.point_labels.LABELS`. For ``velodyne/<frame>.bin`` they are the lower 16 bits of
    ``labels/<frame>.label``, or of ``<frame>.label`` beside it (SemanticKITTI). Points with NaN coordinates are left
    out, and a warning (:class:`~ccnn_geo.io.MissingPoints`) counts them.

    Args:
        path: The file.
        columns: Names of the numbers of a point in ``.bin``, see :func:`~ccnn_geo.io.scans.bin_file.read_bin`, and in
            ``.npy`` without names, see :func:`~ccnn_geo.io.scans.npy_file.open_npy`.
        column_type: Their type, ``float32`` or ``float64``.
        label: Name of the column with the labels.
        needed: Measurements that must be finite; None for all. Others may hold NaN, which programs write where nothing
            was measured.

    Raises:
        ValueError: For an unknown kind of file, ambiguous columns or labels, labels that are not whole numbers, or a
            file that is truncated, empty, or holds infinities, NaN in a needed measurement or numbers beyond 1e30.
    """
    path = Path(path)
    found = read_columns(path, columns, column_type)
    if len(found["x"]) == 0:
        raise ValueError(f"{path}: no points, expected one or more")
    frame, seen = make_frame(path, found, label, needed)
    if not seen.all():
        warn_caller(left_out(path, seen), MissingPoints)
    return frame


def read_columns(path: Path, columns: Sequence[str] | None = None, column_type: str = "float32") -> Columns:
    """All numbers of a scan by name, as in the file, including the labels beside it."""
    kind = path.suffix.lower()
    if kind not in EXTENSIONS:
        raise ValueError(f"{path}: unknown extension {path.suffix!r}, expected one of {' '.join(EXTENSIONS)}")
    if kind == ".npy":
        return read_npy_columns(path, columns)
    if kind != ".bin":
        return _READERS[kind](path)
    found = read_bin(path, columns, column_type)
    if (beside := read_labels(path, len(found["x"]))) is not None:
        found[LABELS[0]] = beside
    return found


@np.errstate(over="ignore", invalid="ignore")  # NaN and Inf are refused below
def make_frame(
    path: Path,
    found: Columns,
    label: str | None = None,
    needed: Collection[str] | None = None,
    largest: int | None = None,
) -> tuple[Frame, np.ndarray]:
    """Makes a scan, or a part of one, from its columns; also returns which of its points have a position, ``[N]``.

    If the columns are a part of the file, ``largest`` is the largest colour of the whole file.

    Raises:
        ValueError: For faulty values of points, as in :func:`read_frame`.
    """
    found = dict(found)
    xyz = np.stack([found.pop(axis) for axis in "xyz"], axis=1, dtype=np.float64)
    chosen = label_column(path, found, label)
    labels = None if chosen is None else whole_labels(path, chosen, found.pop(chosen))
    found = unit_colours(found, largest)
    if not (seen := present(xyz)).all():
        xyz, labels = xyz[seen], None if labels is None else labels[seen]
        found = {name: values[seen] for name, values in found.items()}
    asked = found if needed is None else {name: found[name] for name in needed if name in found}
    for name, values in {"positions": xyz, **asked}.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{path}: NaN or Inf in {name}, expected numbers")
        if np.abs(values).max() > LARGEST:
            raise ValueError(f"{path}: {name} up to {np.abs(values).max():.3g}, expected at most {LARGEST:g}")
    return Frame(xyz, found, labels, path), seen


def las_columns(points: LasPoints, largest: int | None = None) -> Columns:
    """Columns of points of a LAS file; ``largest`` is the largest colour of the whole file, if these are a part."""
    found = {
        **dict(zip("xyz", points.xyz.T, strict=True)),
        "intensity": points.intensity,
        "return_number": points.return_number,
        "num_returns": points.num_returns,
        "classification": points.classification,
    }
    if points.rgb is not None:
        found |= dict(zip(("red", "green", "blue"), unit_rgb16(points.rgb, largest).T, strict=True))
    return found


def _checked(path: Path) -> Path:
    """Returns the file if its points are valid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingPoints)  # reported for the whole frame
        read_shape(path)
    return path


def _read_pcd(path: Path) -> Columns:
    return read_fields(_checked(path))


def _read_ply(path: Path) -> Columns:
    vertex = read_elements(_checked(path))["vertex"]
    return {name: values for name, values in vertex.items() if isinstance(values, np.ndarray)}


def _read_las(path: Path) -> Columns:
    return las_columns(read_las(path))


_READERS: dict[str, Callable[[Path], Columns]] = {
    ".las": _read_las,
    ".laz": _read_las,
    ".ply": _read_ply,
    ".pcd": _read_pcd,
}

EXTENSIONS: tuple[str, ...] = (".bin", *_READERS, ".npy")
"""Extensions of scans."""
