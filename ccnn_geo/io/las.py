"""LAS: airborne and terrestrial laser scans (ASPRS LAS 1.0 to 1.4, point formats 0 to 10, uncompressed)."""

import struct
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

_CORE = [("xyz", "<i4", 3), ("intensity", "<u2")]
_LEGACY = [
    *_CORE,
    *(("flags", "u1"), ("class", "u1"), ("angle", "i1"), ("user", "u1"), ("source", "<u2")),
]
_MODERN = [
    *_CORE,
    *(("flags", "u1"), ("more", "u1"), ("class", "u1"), ("user", "u1"), ("angle", "<i2"), ("source", "<u2")),
    ("time", "<f8"),
]
_TIME, _RGB, _NIR, _WAVE = ("time", "<f8"), ("rgb", "<u2", 3), ("nir", "<u2"), ("wave", "V29")

POINT_FORMATS = {
    0: _LEGACY,
    1: [*_LEGACY, _TIME],
    2: [*_LEGACY, _RGB],
    3: [*_LEGACY, _TIME, _RGB],
    4: [*_LEGACY, _TIME, _WAVE],
    5: [*_LEGACY, _TIME, _RGB, _WAVE],
    6: _MODERN,
    7: [*_MODERN, _RGB],
    8: [*_MODERN, _RGB, _NIR],
    9: [*_MODERN, _WAVE],
    10: [*_MODERN, _RGB, _NIR, _WAVE],
}
"""Fields of each point format, as the standard lays them out; records may be longer, by bytes of their own."""

_HEADER_BYTES = {0: 227, 1: 227, 2: 227, 3: 235, 4: 375}


@dataclass(frozen=True, eq=False)
class LasPoints:
    """Points of a scan.

    Args:
        xyz: ``[N, 3]`` float64, in the units of the file's coordinate system, metres as a rule.
        intensity: ``[N]`` uint16.
        return_number: ``[N]`` uint8, 1 for the first echo of a pulse.
        num_returns: ``[N]`` uint8, echoes of the pulse.
        classification: ``[N]`` uint8: 2 ground, 3 to 5 vegetation, 6 building, 9 water and so on.
        rgb: ``[N, 3]`` uint16, or None.
        time: ``[N]`` float64, GPS time in seconds, or None.
    """

    xyz: np.ndarray
    intensity: np.ndarray
    return_number: np.ndarray
    num_returns: np.ndarray
    classification: np.ndarray
    rgb: np.ndarray | None = None
    time: np.ndarray | None = None


def read_las(path: str | PathLike[str]) -> LasPoints:
    """Reads a ``.las`` file; coordinates are ``number * scale + offset`` of its header, in float64.

    Args:
        path: The file.

    Raises:
        ValueError: If it is compressed (.laz), not LAS 1.0 to 1.4, of an unknown point format, shorter than its
            header says, or scaled by numbers that are not finite.

    Source: ASPRS, LAS Specification 1.4 - R15.
    """
    path = Path(path)
    with path.open("rb") as file:
        header = file.read(375)
    if header[:4] != b"LASF" or len(header) < 227:
        raise ValueError(
            f"{path}: starts with {header[:4]!r}, {len(header)} bytes, expected a LAS header, b'LASF'"
        )
    major, minor = header[24], header[25]
    if major != 1 or minor not in _HEADER_BYTES:
        raise ValueError(f"{path}: LAS {major}.{minor}, expected 1.0 to 1.4")
    header_bytes, start = struct.unpack_from("<HI", header, 94)
    kind, length, count = struct.unpack_from("<BHI", header, 104)
    if kind & 0xC0:  # the two high bits mark a compressed file
        raise ValueError(
            f"{path}: compressed (LAZ), expected plain LAS; unpack it first, e.g. with 'laszip -i in.laz -o out.las'"
        )
    if kind not in POINT_FORMATS:
        raise ValueError(f"{path}: point format {kind}, expected 0 to 10")
    if header_bytes < _HEADER_BYTES[minor] or len(header) < _HEADER_BYTES[minor] or start < header_bytes:
        raise ValueError(
            f"{path}: a header of {header_bytes} bytes and points from byte {start}, expected "
            f"{_HEADER_BYTES[minor]} or more, and points behind it"
        )
    if minor == 4:  # the old field holds 0 where it is too small
        count = struct.unpack_from("<Q", header, 247)[0] or count
    fields = np.dtype(POINT_FORMATS[kind])
    if length < fields.itemsize:
        raise ValueError(f"{path}: {length} bytes a point, format {kind} takes {fields.itemsize} or more")
    found = path.stat().st_size - start
    if count * length > found:
        raise ValueError(
            f"{path}: truncated, {max(found, 0)} bytes of points, expected {count} of {length} bytes"
        )
    frame = np.array(struct.unpack_from("<6d", header, 131))
    if not np.isfinite(frame).all() or not (frame[:3] != 0).all():
        raise ValueError(f"{path}: scale {frame[:3]} and offset {frame[3:]}, expected finite, scale not 0")
    assert fields.fields is not None and fields.names is not None, "point formats are structures"
    layout = {name: fields.fields[name] for name in fields.names}
    record = np.dtype(
        {
            "names": list(layout),
            "formats": [f[0] for f in layout.values()],
            "offsets": [f[1] for f in layout.values()],
            "itemsize": length,
        }
    )
    points = _points(np.fromfile(path, dtype=record, count=count, offset=start), frame, modern=kind >= 6)
    if not np.isfinite(points.xyz).all():
        raise ValueError(
            f"{path}: scale {frame[:3]} and offset {frame[3:]} give NaN or Inf, expected coordinates"
        )
    return points


def _points(raw: np.ndarray, frame: np.ndarray, modern: bool) -> LasPoints:
    flags, names = raw["flags"], raw.dtype.names or ()
    with np.errstate(over="ignore", invalid="ignore"):  # seen to by the caller
        xyz = raw["xyz"] * frame[:3] + frame[3:]
    return LasPoints(
        xyz=xyz,
        intensity=raw["intensity"].copy(),
        return_number=flags & (15 if modern else 7),
        num_returns=flags >> 4 if modern else flags >> 3 & 7,
        classification=raw["class"].copy()
        if modern
        else raw["class"] & 31,  # above: synthetic, key, withheld
        rgb=raw["rgb"].copy() if "rgb" in names else None,
        time=raw["time"].copy() if "time" in names else None,
    )
