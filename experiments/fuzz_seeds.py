"""Small valid files of every kind that the package reads, for damaging: see ``fuzz_readers``."""

from __future__ import annotations

import io
import json
import struct

import numpy as np

CORNERS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.5]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def _rows(*tables: np.ndarray) -> str:
    return "".join(" ".join(f"{value:g}" for value in row) + "\n" for table in tables for row in table)


def off_files() -> list[bytes]:
    """Text, one as ModelNet40 bends it, one with colours, one with line ends anywhere."""
    faces = np.column_stack([np.full(4, 3), FACES])
    plain = "OFF\n4 4 6\n" + _rows(CORNERS, faces)
    colours = "COFF # colours\n4 1 0\n" + _rows(np.column_stack([CORNERS, FACES])) + "4 0 1 2 3 0.5 0.5 0.5\n"
    return [
        text.encode() for text in (plain, plain.replace("OFF\n", "OFF"), colours, plain.replace("\n", " "))
    ]


def obj_files() -> list[bytes]:
    """A mesh with materials that are not there, and a cloud with normals."""
    mesh = "mtllib no.mtl\no a\n" + "".join(f"v {row}\n" for row in _rows(CORNERS).splitlines())
    mesh += "vt 0 0\nusemtl red\ng b\ns off\nf 1/1 2/1 3/1 4/1\nf -4 -2 \\\n-1\nl 1 2\np 1\n"
    return [mesh.encode(), b"v 1 2 3\nv 4 5 6\nvn 0 0 1\nvn 0 1 0\n"]


def ply_files(text: bool) -> list[bytes]:
    """Polygons of different sizes, and a labelled cloud with normals; binary in both byte orders."""
    files = []
    for order in ("ascii",) if text else ("binary_little_endian", "binary_big_endian"):
        sign = ">" if order.endswith("big_endian") else "<"
        mesh = f"ply\nformat {order} 1.0\ncomment TextureFile no.png\nelement vertex 4\n"
        mesh += "".join(f"property double {axis}\n" for axis in "xyz")
        mesh += "element face 2\nproperty list uchar int vertex_indices\nproperty uchar red\nend_header\n"
        cloud = f"ply\nformat {order} 1.0\nelement vertex 4\n"
        cloud += "".join(f"property float {name}\n" for name in ("x", "y", "z", "nx", "ny", "nz"))
        cloud += "property uchar intensity\nproperty short label\nend_header\n"
        points = np.column_stack([CORNERS, CORNERS[::-1], FACES[:, :2]])
        if text:
            files += [
                (mesh + _rows(CORNERS) + "3 0 1 2 7\n4 0 1 2 3 9\n").encode(),
                (cloud + _rows(points)).encode(),
            ]
            continue
        polygons = struct.pack(f"{sign}B3iB", 3, 0, 1, 2, 7) + struct.pack(f"{sign}B4iB", 4, 0, 1, 2, 3, 9)
        kind = np.dtype([("f", f"{sign}f4", 6), ("i", "u1"), ("l", f"{sign}i2")])
        rows = np.array([(p[:6], p[6], p[7]) for p in points], dtype=kind)
        files += [
            mesh.encode() + CORNERS.astype(f"{sign}f8").tobytes() + polygons,
            cloud.encode() + rows.tobytes(),
        ]
    return files


def stl_files(text: bool) -> list[bytes]:
    """A tetrahedron; as text two solids."""
    if not text:
        records = b"".join(np.append([0, 0, 1], CORNERS[f]).astype("<f4").tobytes() + b"\0\0" for f in FACES)
        return [b"made by hand".ljust(80) + struct.pack("<I", 4) + records]
    facets = [
        "facet normal 0 0 1\nouter loop\n"
        + "".join(f"vertex {row}\n" for row in _rows(CORNERS[face]).splitlines())
        + "endloop\nendfacet\n"
        for face in FACES
    ]
    return ["".join(f"solid {i}\n{''.join(facets[i : i + 2])}endsolid {i}\n" for i in (0, 2)).encode()]


def glb_files() -> list[bytes]:
    """Two nodes that place one mesh, and points."""
    data = CORNERS.astype("<f4").tobytes() + FACES.astype("<u2").tobytes()
    header = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0, 2]}],
        "nodes": [
            {"mesh": 0, "children": [1], "translation": [1, 2, 3]},
            {"mesh": 0, "scale": [1, 1, 2]},
            {"mesh": 1},
        ],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]},
            {"primitives": [{"attributes": {"POSITION": 0}, "mode": 0}]},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 12, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 48},
            {"buffer": 0, "byteOffset": 48, "byteLength": 24},
        ],
        "buffers": [{"byteLength": 72}],
    }
    return [glb(header, data)]


def glb(header: dict, data: bytes) -> bytes:
    """A glTF scene and its buffer in one file."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def array_files(archive: bool) -> list[bytes]:
    """Clouds with and without normals, archives stored and deflated."""
    points = np.column_stack([CORNERS, CORNERS[::-1]])
    files = []
    for write in (
        (lambda f: np.savez(f, pos=CORNERS, normal=points[:, 3:]), lambda f: np.savez_compressed(f, points))
        if archive
        else (lambda f: np.save(f, points), lambda f: np.save(f, np.asfortranarray(FACES.astype(">i4"))))
    ):
        file = io.BytesIO()
        write(file)
        files.append(file.getvalue())
    return files


def xyz_files() -> list[bytes]:
    """Positions, and positions with normals and more."""
    return [
        _rows(CORNERS).encode(),
        ("# x y z nx ny nz i\n" + _rows(np.column_stack([CORNERS, FACES, FACES]))).encode(),
    ]


def image_files(kind: str) -> list[bytes]:
    """A gradient in colour, and one in grey."""
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
