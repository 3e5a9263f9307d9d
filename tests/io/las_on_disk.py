"""A writer of LAS files, field by field after the public specification, for tests of the reader."""

import struct

import numpy as np

SIZES = {0: 20, 1: 28, 2: 26, 3: 34, 4: 57, 5: 63, 6: 30, 7: 36, 8: 38, 9: 59, 10: 67}
RGB = {2: 20, 3: 28, 5: 28, 7: 30, 8: 30, 10: 30}
TIME = {1: 20, 3: 20, 4: 20, 5: 20, 6: 22, 7: 22, 8: 22, 9: 22, 10: 22}
HEADERS = {0: 227, 1: 227, 2: 227, 3: 235, 4: 375}


def las_bytes(
    grid,
    intensity,
    return_number,
    num_returns,
    classification,
    *,
    version=2,
    kind=0,
    scale=0.01,
    offset=(0, 0, 0),
    rgb=None,
    time=None,
    extra=0,
    records=b"",
    legacy_count=True,
):
    """A file of points at ``grid * scale + offset``; grid ``[N, 3]`` integers."""
    num, size = len(grid), SIZES[kind] + extra
    rows = np.full((num, size), 0xA5, dtype=np.uint8)  # what the reader must not look at

    def put(start, values, dtype):
        values = np.ascontiguousarray(values, dtype=dtype)
        raw = values.view(np.uint8).reshape(num, -1)
        rows[:, start : start + raw.shape[1]] = raw

    put(0, grid, "<i4")
    put(12, intensity, "<u2")
    return_number, num_returns, classification = (
        np.asarray(v, dtype=np.uint8) for v in (return_number, num_returns, classification)
    )
    if kind >= 6:
        put(14, return_number | num_returns << 4, "u1")
        put(16, classification, "u1")
    else:
        put(14, return_number | num_returns << 3 | 0xC0, "u1")  # direction and edge of the flight line
        put(15, classification | 0x80, "u1")  # withheld
    if kind in RGB:
        put(RGB[kind], np.zeros((num, 3)) if rgb is None else rgb, "<u2")
    if kind in TIME:
        put(TIME[kind], np.zeros(num) if time is None else time, "<f8")

    header = bytearray(HEADERS[version])
    header[:4], header[24:26] = b"LASF", bytes([1, version])
    struct.pack_into("<HII", header, 94, len(header), len(header) + len(records), bool(records))
    struct.pack_into("<BHI", header, 104, kind, size, num if legacy_count else 0)
    struct.pack_into("<6d", header, 131, *([scale] * 3 if np.isscalar(scale) else scale), *offset)
    if version == 4:
        struct.pack_into("<Q", header, 247, num)
    return bytes(header) + records + rows.tobytes()
