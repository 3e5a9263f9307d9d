"""Files of laser scans: what a point is, what was measured there, and how it is labelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccnn_geo.datasets.las import read_las
from ccnn_geo.io import read_shape
from ccnn_geo.io.ply_elements import read_elements

LABELS = ("label", "class", "classification", "scalar_label", "scalar_class", "scalar_classification")
"""Names, in lower case, of the property of a PLY file that holds labels."""

LARGEST = 1e30
"""Largest coordinate and measurement; differences still fit into float32."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One scan.

    Args:
        xyz: ``[N, 3]`` float64, in the units of the file, metres as a rule.
        fields: Measurements ``[N]`` by name; intensity and colours that are integers in the file are divided by
            the largest of their type.
        labels: ``[N]`` int64 as in the file, or None.
    """

    xyz: np.ndarray
    fields: dict[str, np.ndarray]
    labels: np.ndarray | None


def read_frame(path: Path) -> Frame:
    """Reads a scan by its extension: ``.bin`` (KITTI), ``.las``, ``.ply``.

    Labels are the classification of a LAS file, a property of a PLY file named as in :data:`LABELS`, and for
    ``velodyne/<frame>.bin`` the lower 16 bits of ``labels/<frame>.label``, or of ``<frame>.label`` beside it
    (SemanticKITTI).

    Raises:
        ValueError: For another kind, or a file that is compressed, truncated, empty, or holds NaN, infinities or
            numbers beyond 1e30.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: unknown extension {path.suffix!r}, expected one of {' '.join(EXTENSIONS)}")
    frame = reader(path)
    if len(frame.xyz) == 0:
        raise ValueError(f"{path}: no points, expected one or more")
    for name, values in {"positions": frame.xyz, **frame.fields}.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{path}: NaN or Inf in {name}, expected numbers")
        if np.abs(values).max() > LARGEST:
            raise ValueError(f"{path}: {name} up to {np.abs(values).max():.3g}, expected at most {LARGEST:g}")
    return frame


def _read_bin(path: Path) -> Frame:
    size = path.stat().st_size
    if size % 16:
        raise ValueError(f"{path}: {size} bytes, expected 16 a point: float32 x, y, z, intensity")
    rows = np.fromfile(path, dtype="<f4").reshape(-1, 4)
    places = (path.with_suffix(".label"), path.parents[1] / "labels" / f"{path.stem}.label")
    found = next((place for place in places if place.is_file()), None)
    labels = None
    if found is not None:
        if found.stat().st_size != 4 * len(rows):
            raise ValueError(
                f"{found}: {found.stat().st_size} bytes, expected 4 for each of {len(rows)} points of {path.name}"
            )
        labels = (np.fromfile(found, dtype="<u4") & 0xFFFF).astype(np.int64)  # above: which object
    with np.errstate(invalid="ignore"):  # NaN is refused later
        return Frame(rows[:, :3].astype(np.float64), {"intensity": rows[:, 3]}, labels)


def _read_las(path: Path) -> Frame:
    points = read_las(path)
    fields = {
        "intensity": _unit(points.intensity),
        "return_number": points.return_number,
        "num_returns": points.num_returns,
    }
    if points.rgb is not None:
        fields |= dict(zip(("red", "green", "blue"), _unit(points.rgb).T, strict=True))
    return Frame(points.xyz, fields, points.classification.astype(np.int64))


def _read_ply(path: Path) -> Frame:
    shape = read_shape(path)  # checks all that can be wrong with the points
    fields, labels = {}, None
    for name, values in read_elements(path)["vertex"].items():
        if name in ("x", "y", "z") or not isinstance(values, np.ndarray):
            continue
        if name.lower() in LABELS:
            labels = values.astype(np.int64)
        else:
            fields[name] = _unit(values) if name in ("intensity", "red", "green", "blue") else values
    return Frame(shape.vertices, fields, labels)


def _read_laz(path: Path) -> Frame:
    raise ValueError(
        f"{path}: compressed (LAZ), expected plain LAS; unpack it first, e.g. with 'laszip -i in.laz -o out.las'"
    )


def _unit(values: np.ndarray) -> np.ndarray:
    return values / np.iinfo(values.dtype).max if values.dtype.kind in "iu" else values


_READERS: dict[str, Callable[[Path], Frame]] = {
    ".bin": _read_bin,
    ".las": _read_las,
    ".laz": _read_laz,
    ".ply": _read_ply,
}

EXTENSIONS: tuple[str, ...] = tuple(_READERS)
"""Extensions that belong to scans; of these ``.laz`` is refused with advice."""
