"""LAS and LAZ: airborne and terrestrial laser scans (ASPRS LAS 1.0 to 1.4, point formats 0 to 10).

laspy describes the fields of a point. The header is read and checked here, because laspy trusts its claims.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.io.files.row_file import check_read
from ccnn_geo.io.laz import LasHeader, decompress, decompressed

_HEADER_BYTES = {0: 227, 1: 227, 2: 227, 3: 235, 4: 375}


@dataclass(frozen=True, eq=False)
class LasPoints:
    """Points of a scan.

    Args:
        xyz: ``[N, 3]`` float64, in the units of the file's coordinate system, usually metres.
        intensity: ``[N]`` uint16.
        return_number: ``[N]`` uint8, 1 for the first echo of a pulse.
        num_returns: ``[N]`` uint8, echoes of the pulse.
        classification: ``[N]`` uint8: 2 ground, 3 to 5 vegetation, 6 building, 9 water and so on.
        rgb: ``[N, 3]`` uint16, or None.
        time: ``[N]`` float64, GPS time in seconds, or None.

    Example:
        >>> import numpy as np
        >>> ones, codes = np.ones(3, np.uint8), np.array([2, 6, 2], np.uint8)
        >>> scan = LasPoints(np.eye(3), ones.astype(np.uint16), ones, ones, codes)
        >>> scan.xyz[scan.classification == 2].shape  # the ground
        (2, 3)
        >>> scan = read_las("scan.laz")  # doctest: +SKIP
    """

    xyz: np.ndarray
    intensity: np.ndarray
    return_number: np.ndarray
    num_returns: np.ndarray
    classification: np.ndarray
    rgb: np.ndarray | None = None
    time: np.ndarray | None = None


def read_las(path: str | PathLike[str]) -> LasPoints:
    """Reads a ``.las`` or ``.laz`` file; coordinates are ``number * scale + offset`` of its header, in float64.

    Args:
        path: The file; its content, not its name, decides whether it is compressed.

    Raises:
        ImportError: If laspy is missing, or lazrs for a compressed file.
        ValueError: If the file is not LAS 1.0 to 1.4, has an unknown point format, is shorter than its header says, is
            damaged where it is compressed, or has a scale that is not finite.

    Source: ASPRS, LAS Specification 1.4 - R15.
    """
    path = Path(path)
    header, form = open_las(path)
    raw = decompress(path, header) if header.compressed else _rows(path, header, 0, header.num_points)
    return _points(path, header, form, raw)


def las_chunks(path: Path, at_once: int) -> Iterator[LasPoints]:
    """The points of a ``.las`` or ``.laz`` file in chunks of ``at_once``; errors as in :func:`read_las`."""
    header, form = open_las(path)
    if header.compressed:
        for some in decompressed(path, header, at_once):
            yield _points(path, header, form, some)
        return
    for start in range(0, header.num_points, at_once):
        yield _points(path, header, form, _rows(path, header, start, min(at_once, header.num_points - start)))


def open_las(path: Path) -> tuple[LasHeader, Any]:
    """The checked header of a file, and laspy's description of a point; errors as in :func:`read_las`."""
    with needs("data", "read_las"):
        import laspy
    header = _read_header(
        path, {kind: laspy.PointFormat(kind).size for kind in laspy.supported_point_formats()}
    )
    form = laspy.PointFormat(header.kind)
    if header.extra:
        form.add_extra_dimension(laspy.ExtraBytesParams("extra", f"{header.extra}u1"))
    return header, form


def _rows(path: Path, header: LasHeader, start: int, count: int) -> bytes:
    """``count`` points of an uncompressed file, as stored."""
    with path.open("rb") as file:
        file.seek(header.start + start * header.length)
        content = file.read(count * header.length)
    check_read(path, len(content), count * header.length)
    return content


def _points(path: Path, header: LasHeader, form: Any, content: bytes | bytearray) -> LasPoints:
    with needs("data", "read_las"):
        import laspy
    raw = np.frombuffer(content, form.dtype())
    points = laspy.ScaleAwarePointRecord(raw, form, header.scale, header.offset)
    with np.errstate(over="ignore", invalid="ignore"):  # checked below
        xyz = np.stack([points.x, points.y, points.z], axis=1)
    if not np.isfinite(xyz).all():
        raise ValueError(
            f"{path}: scale {header.scale} and offset {header.offset} give NaN or Inf, expected coordinates"
        )
    names = set(form.dimension_names)
    return LasPoints(
        xyz,
        intensity=np.array(points["intensity"]),
        return_number=np.array(points["return_number"]),
        num_returns=np.array(points["number_of_returns"]),
        classification=np.array(points["classification"]),
        rgb=np.stack([raw[name] for name in ("red", "green", "blue")], axis=1) if "red" in names else None,
        time=np.array(raw["gps_time"]) if "gps_time" in names else None,
    )


def _read_header(path: Path, sizes: Mapping[int, int]) -> LasHeader:
    """The header of a file with one of the point formats in ``sizes``, which has their bytes."""
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
    compressed, kind = bool(kind & 0xC0), kind & 0x3F  # the two high bits mark a compressed file
    if kind not in sizes:
        raise ValueError(f"{path}: point format {kind}, expected 0 to 10")
    if header_bytes < _HEADER_BYTES[minor] or len(header) < _HEADER_BYTES[minor] or start < header_bytes:
        raise ValueError(
            f"{path}: a header of {header_bytes} bytes and points from byte {start}, expected "
            f"{_HEADER_BYTES[minor]} or more, with points behind it"
        )
    if minor == 4:  # the old field holds 0 if it is too small
        count = struct.unpack_from("<Q", header, 247)[0] or count
    if length < sizes[kind]:
        raise ValueError(
            f"{path}: {length} bytes per point, expected {sizes[kind]} or more for format {kind}"
        )
    found = path.stat().st_size - start
    if found < (0 if compressed else count * length):
        raise ValueError(
            f"{path}: truncated, {max(found, 0)} bytes of points, expected {count} of {length} bytes"
        )
    frame = np.array(struct.unpack_from("<6d", header, 131))
    if not np.isfinite(frame).all() or not (frame[:3] != 0).all():
        raise ValueError(f"{path}: scale {frame[:3]} and offset {frame[3:]}, expected finite, scale not 0")
    return LasHeader(kind, length, length - sizes[kind], count, start, compressed, frame[:3], frame[3:])
