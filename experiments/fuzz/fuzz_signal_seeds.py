"""Small valid images, recordings, tables, scans and records, for damaging: see ``fuzz_readers``."""

from __future__ import annotations

import io
import struct
from datetime import date

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.experiments.fuzz.fuzz_seeds import CORNERS


def image_files(kind: str) -> list[bytes]:
    """A gradient in colour, and one in grey."""
    with needs("data", "image_files"):
        from PIL import Image
    pixels = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)
    files = []
    for array in (pixels, pixels[..., 0]):
        file = io.BytesIO()
        Image.fromarray(array).save(file, kind)
        files.append(file.getvalue())
    return files


def wav_files() -> list[bytes]:
    """16-bit stereo, 8-bit and floating point, and a chunk that is not sound."""

    def wav(tag: int, channels: int, bits: int, data: bytes, before: bytes = b"") -> bytes:
        size = channels * bits // 8
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, 8000, 8000 * size, size, bits)
        body = b"WAVE" + form + before + struct.pack("<4sI", b"data", len(data)) + data
        return struct.pack("<4sI", b"RIFF", len(body)) + body

    wave = np.sin(np.arange(40.0))
    return [
        wav(1, 2, 16, (wave * 2**15).astype("<i2").tobytes(), b"LIST\x04\0\0\0INFO"),
        wav(1, 1, 8, (wave * 100 + 128).astype("u1").tobytes()),
        wav(3, 1, 32, wave.astype("<f4").tobytes()),
    ]


def csv_files() -> list[bytes]:
    """Wide with numbers, long with dates."""
    return [
        b'time,heart rate,temp\n0,60.5,37\n2.5,,38\n1,61,\n-3,"62",NA\n',
        b"Time,variable,value\n2024-05-01T13:30:00,a,1\n2024-05-01 14:00,b,-2e3\n2024-05-02T00:00:00+02:00,a,?\n",
    ]


def target_files() -> list[bytes]:
    """Tables with units and an unknown value, and one table for all splits."""
    return [
        b"file,energy [kcal/mol],gap\na.npz,-417.03,0.5\nsub/b.npz,,2e-1\n",
        b"file,split,energy\na.npz,train,1\nb.npz,val,NA\n",
    ]


def cloud_files() -> list[bytes]:
    """A molecule, and a plane cloud with a field of two columns; stored and deflated."""
    files = []
    for save, arrays in (
        (np.savez, {"pos": np.eye(3, dtype=np.float32), "z": np.array([8, 1, 1], np.uint8)}),
        (np.savez_compressed, {"pos": np.ones((4, 2)), "force": np.zeros((4, 2)), "energy": np.ones(1)}),
    ):
        file = io.BytesIO()
        save(file, **arrays)
        files.append(file.getvalue())
    return files


def las_files() -> list[bytes]:
    """LAS 1.2 with colours and time, LAS 1.4."""
    files = []
    for minor, kind, header_bytes, size in ((2, 3, 227, 34), (4, 6, 375, 30)):
        header = bytearray(header_bytes)
        header[:4], header[24:26] = b"LASF", bytes([1, minor])
        struct.pack_into("<HI", header, 94, header_bytes, header_bytes)
        struct.pack_into("<BHI", header, 104, kind, size, 4)
        struct.pack_into("<6d", header, 131, 0.01, 0.01, 0.01, 5e5, 5.4e6, 0)
        if minor == 4:
            struct.pack_into("<Q", header, 247, 4)
        rows = np.arange(4 * size, dtype=np.uint8).reshape(4, size)
        rows[:, :12] = (CORNERS * 100).astype("<i4").view(np.uint8)
        rows[:, 20:28] = np.zeros(8, dtype=np.uint8)  # time
        files.append(bytes(header) + rows.tobytes())
    return files


def laz_files() -> list[bytes]:
    """The same points compressed: one by one, and field by field."""
    import laspy

    files = []
    for content in las_files():
        header = laspy.LasHeader(version=f"1.{content[25]}", point_format=content[104])
        header.creation_date, header.scales, header.offsets = (
            date(2024, 5, 1),
            np.full(3, 0.01),
            (5e5, 5.4e6, 0),
        )
        file, form = io.BytesIO(), header.point_format
        points = laspy.PackedPointRecord.from_buffer(content[-4 * form.size :], form)
        laspy.LasData(header, points).write(file, do_compress=True, laz_backend=laspy.LazBackend.Lazrs)
        files.append(file.getvalue())
    return files


def bin_files() -> list[bytes]:
    """Points as KITTI stores them."""
    return [np.column_stack([CORNERS, np.linspace(0, 1, 4)]).astype("<f4").tobytes()]


def record_files() -> list[bytes]:
    """A stay of PhysioNet 2012."""
    return [
        b"Time,Parameter,Value\n00:00,RecordID,1\n00:00,Age,54\n00:00,ICUType,4\n00:07,HR,73\n23:59,Temp,-1\n"
    ]


def tsv_files() -> list[bytes]:
    """Two expressions of ListOps."""
    return [b"Source\tTarget\n( ( ( [MAX 2 ) 9 ) ] )\t9\n( ( ( [MIN 4 ) 7 ) ] )\t4\n"]
