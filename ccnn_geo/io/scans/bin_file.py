"""Scans in ``.bin``: rows of numbers without a header, with columns declared or found by a rule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ccnn_geo.io.files.row_file import read_numbers
from ccnn_geo.io.scans.bin_labels import is_labels, label_file

KITTI = ("x", "y", "z", "intensity")
"""Columns of a ``.bin`` of KITTI and SemanticKITTI; the intensity is a reflectance from 0 to 1."""

NUSCENES = ("x", "y", "z", "intensity", "ring")
"""Columns of a ``.pcd.bin`` of nuScenes; a ring is a whole number from 0 to 255."""

SKIPPED = "_"
"""Name of a column that is not used."""

TYPES = {"float32": "<f4", "float64": "<f8"}
SMALLEST = 1e-6
"""Coordinates that are all smaller do not make a scan: labels and other integers are that small as floats."""


def check_columns(columns: Sequence[str] | None, column_type: str) -> None:
    """Refuses impossible columns.

    Raises:
        ValueError: If x, y, z are not among them, a name occurs twice, or the type is unknown.
    """
    if column_type not in TYPES:
        raise ValueError(f"column_type: expected {' or '.join(TYPES)}, got {column_type!r}")
    if columns is None:
        return
    used = [] if isinstance(columns, str) else [name for name in columns if name != SKIPPED]
    if not {"x", "y", "z"} <= set(used) or len(set(used)) < len(used):
        raise ValueError(
            f"columns: expected different names, x, y, z among them ({SKIPPED} for one not used), got {columns!r}"
        )


def bin_layout(
    path: Path, columns: Sequence[str] | None = None, column_type: str = "float32"
) -> tuple[tuple[str, ...], np.dtype, int]:
    """Names and type of the numbers of a point, and the number of points in a ``.bin``.

    Raises:
        ValueError: For faulty columns, names and sizes, as in :func:`read_bin`.
    """
    check_columns(columns, column_type)
    if is_labels(path):
        raise ValueError(f"{path}: labels of nuScenes, judging by the name, expected a scan")
    names = tuple(columns or (NUSCENES if path.name.lower().endswith(".pcd.bin") else KITTI))
    kind = np.dtype(TYPES[column_type])
    size, row = path.stat().st_size, kind.itemsize * len(names)
    if size % row:
        raise ValueError(
            f"{path}: {size} bytes, expected {row} per point: {column_type} {', '.join(names)}; {_ASK}"
        )
    return names, kind, size // row


def read_bin(
    path: Path,
    columns: Sequence[str] | None = None,
    column_type: str = "float32",
    start: int = 0,
    count: int | None = None,
) -> dict[str, np.ndarray]:
    """Reads columns of a ``.bin`` by name.

    Args:
        path: The file.
        columns: Names of the numbers of a point; by default those of nuScenes for ``.pcd.bin``, else of KITTI.
        column_type: ``float32`` or ``float64``.
        start: The first point to read.
        count: Number of points; None for all from there on.

    Raises:
        ValueError: If the size is not a multiple of a point's, if coordinates are as small as integers or look like the
            other type, or if undeclared columns do not fit the rule.

    Source: the development kits of KITTI, SemanticKITTI and nuScenes.
    """
    names, kind, points = bin_layout(path, columns, column_type)
    nuscenes = names == NUSCENES and columns is None
    num = len(names) * (points - start if count is None else count)
    table = read_numbers(path, kind, num, start * kind.itemsize * len(names)).reshape(-1, len(names))
    found = {name: table[:, i] for i, name in enumerate(names) if name != SKIPPED}
    _check_type(path, table, found, column_type)
    if columns is None:
        _check_rule(path, table, found, nuscenes, points)
    largest = _largest(found, _FIRST)
    if len(table) > 1 and not largest >= SMALLEST and (largest := _largest(found)) < SMALLEST:
        raise ValueError(
            f"{path}: coordinates up to {largest:.3g}, expected those of a scan ({column_type}); integers, such as "
            f"labels, look like this; {_ASK}"
        )
    for name, column in found.items():
        largest = float(np.fmax.reduce(np.abs(column), initial=0.0))
        if 0 < largest < _TINY:
            raise ValueError(
                f"{path}: {name} up to {largest:.3g}, expected floating point; integers, such as packed colours, look "
                f"like this; {_ASK}, and {SKIPPED} an unused one"
            )
    ring = found.get("ring", np.empty(0))
    ring = ring[np.isfinite(ring)]
    if columns is not None and not ((ring >= 0) & (ring == np.floor(ring))).all():
        raise ValueError(
            f"{path}: ring goes from {ring.min():.4g} to {ring.max():.4g}, expected whole numbers from 0; the option "
            f"'columns' names {', '.join(names)}"
        )
    return found


_FEWEST, _FIRST = 16, 256
"""Least number of points for which alternating kinds of rows are no accident, and the number checked first."""

_FAR = 1e12
"""Coordinates in metres that no scan reaches."""

_TINY = 1e-30
"""A column with only smaller numbers does not hold floating point values."""

_ASK = "for another layout set the option 'columns', such as [x, y, z, intensity, ring]"


def _largest(found: dict[str, np.ndarray], points: int | None = None) -> float:
    """Largest finite coordinate, optionally of the first points only; NaN if there is none."""
    columns = (np.abs(found[axis][:points]) for axis in "xyz")
    return float(np.fmax.reduce([np.fmax.reduce(column, initial=np.nan) for column in columns]))


def _check_type(path: Path, table: np.ndarray, found: dict[str, np.ndarray], column_type: str) -> None:
    """Refuses numbers that were written as the other type."""
    first = np.stack([found[axis][:_FIRST] for axis in "xyz"])
    if first.shape[1] < _FEWEST:
        return
    if (
        column_type == "float64"
    ):  # the first half of a measured number is arbitrary, that of a round one is zero
        halves = np.abs(table[:_FIRST].view("<f4").reshape(len(first.T), -1)[:, ::2])
        plain = (halves == 0) | ((halves > SMALLEST) & (halves < _FAR))
        wrong = (
            plain.mean() > 0.9 and np.count_nonzero(halves) > halves.size / 2 and len(np.unique(halves)) > 2
        )
        other = "float32"
    else:  # fraction bits read as an exponent make large numbers; in round numbers they are zero
        finite = np.abs(first[np.isfinite(first)])
        halves = table[:_FIRST].ravel()
        wrong = np.count_nonzero(finite > _FAR) > first.size / 20 or (not halves[::2].any() and halves.any())
        other = "float64"
    if wrong:
        raise ValueError(
            f"{path}: read as {column_type}, coordinates up to {_largest(found, _FIRST):.3g} that look like {other}, "
            f"expected metres; set the option 'column_type'"
        )


def _check_rule(
    path: Path, table: np.ndarray, found: dict[str, np.ndarray], nuscenes: bool, points: int
) -> None:
    """Refuses columns that do not fit the rule; values that are not finite are refused later."""
    limit, what = (255, "nuScenes") if nuscenes else (1, "KITTI")
    labels = label_file(path)
    if not nuscenes and labels is not None and labels.stat().st_size == 4 * points:
        return  # as many labels as points prove four columns
    if not nuscenes and any(_kinds(table[:, :3], period) for period in (2, 3)):
        raise ValueError(
            f"{path}: read as {', '.join(found)} of KITTI, several kinds of rows alternate, expected one kind; {_ASK}"
        )
    if not nuscenes and len(table) >= _FEWEST and table.min() >= 0 and SMALLEST <= table.max() <= 1:
        raise ValueError(
            f"{path}: read as {', '.join(found)} of KITTI, all numbers are from 0 to 1, expected metres; {_ASK}"
        )
    for name in ("intensity", "ring"):
        if name not in found:
            continue
        values = found[name]
        if name == "intensity" and values.min(initial=0) >= 0 and values.max(initial=0) <= limit:
            continue
        values = values[np.abs(values) <= 1e30]
        whole = name != "ring" or bool((values == np.floor(values)).all())
        if len(values) and not (whole and values.min() >= 0 and values.max() <= limit):
            asked = "whole numbers " * (name == "ring")
            raise ValueError(
                f"{path}: read as {', '.join(found)} of {what}, {name} goes from {values.min():.4g} to "
                f"{values.max():.4g}, expected {asked}from 0 to {limit}; {_ASK}"
            )


def _kinds(coordinates: np.ndarray, period: int) -> bool:
    """Whether several kinds of rows alternate: points with 8 or 12 columns, every fourth column from 0 to 1.

    In that case two or more coordinates of the other rows are whole numbers or from -1 to 1, unlike the first row's.
    """
    turns = [coordinates[first::period] for first in range(period)]
    if len(turns[-1]) < _FEWEST:
        return False
    if len(turns[-1]) > _FIRST and not _kinds(coordinates[: period * _FIRST], period):
        return False
    first, *others = (
        [bool((c == np.floor(c)).all() or (np.abs(c) <= 1).all()) for c in rows.T] for rows in turns
    )
    return any(sum(b and not a for a, b in zip(first, other, strict=True)) > 1 for other in others)
