"""Small valid shapes of every format, for damaging: see ``fuzz_readers``."""

from __future__ import annotations

import io
import json
import math
import struct

import numpy as np

CORNERS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.5]])
NORMALS = np.array([[0.0, 0, 1], [0, 1, 0], [0.6, 0, -0.8], [0, 0, -1]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def _rows(*tables: np.ndarray) -> str:
    return "".join(" ".join(f"{value:g}" for value in row) + "\n" for table in tables for row in table)


def off_files() -> list[bytes]:
    """Text files: one bent like those of ModelNet40, one with colours, one with line ends anywhere."""
    faces = np.column_stack([np.full(4, 3), FACES])
    plain = "OFF\n4 4 6\n" + _rows(CORNERS, faces)
    colours = "COFF # colours\n4 1 0\n" + _rows(np.column_stack([CORNERS, FACES])) + "4 0 1 2 3 0.5 0.5 0.5\n"
    return [
        text.encode() for text in (plain, plain.replace("OFF\n", "OFF"), colours, plain.replace("\n", " "))
    ]


def obj_files() -> list[bytes]:
    """A mesh with missing materials, and a cloud with normals."""
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
    """A tetrahedron; as text in two solids."""
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
    points = np.column_stack([CORNERS, NORMALS])
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
    """Positions, positions with normals and more, and positions with colours."""
    return [
        _rows(CORNERS).encode(),
        ("# x y z nx ny nz i\n" + _rows(np.column_stack([CORNERS, NORMALS, FACES]))).encode(),
        _rows(np.column_stack([CORNERS, FACES])).encode(),
    ]


def pcd_files() -> list[bytes]:
    """Text with normals, an organized cloud with padding and other types in binary, and compressed."""
    files = []
    for way in ("ascii", "binary", "binary_compressed"):
        text = way == "ascii"
        kind: list[tuple] = [(name, "<f4") for name in ("x", "y", "z", "normal_x", "normal_y", "normal_z")]
        if not text:
            kind = [("rgb", "<u4"), ("z", "<f8"), ("_", "u1", 3), ("y", "<i2"), ("x", "<f4")]
        rows = np.zeros(4, kind)
        for name, column in zip("xyz", CORNERS.T, strict=True):
            rows[name] = column
        header = "# .PCD v.7 - Point Cloud Data file format\nVERSION .7\n"
        parts = [np.dtype(entry[1:]) if len(entry) > 2 else np.dtype(entry[1]) for entry in kind]
        for key, words in {
            "FIELDS": rows.dtype.names or (),
            "SIZE": [part.base.itemsize for part in parts],
            "TYPE": [part.base.kind.upper() for part in parts],
            "COUNT": [math.prod(part.shape) for part in parts],
        }.items():
            header += f"{key} {' '.join(map(str, words))}\n"
        header += "WIDTH 4\nHEIGHT 1\n" if text else "WIDTH 2\nHEIGHT 2\n"
        header += f"VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 4\nDATA {way}\n"
        data = _rows(rows.view("<f4").reshape(4, 6)).encode() if text else rows.tobytes()
        if way == "binary_compressed":
            block = b"".join(rows[name].tobytes() for name in rows.dtype.names or ())
            packed = lzf(block)
            data = struct.pack("<2I", len(packed), len(block)) + packed
        files.append(header.encode() + data)
    return files


def lzf(block: bytes) -> bytes:
    """Compresses by LZF: copies of three or more earlier bytes, with literals between them."""
    packed, literals, at = bytearray(), bytearray(), 0
    while at <= len(block):
        start = block.rfind(block[at : at + 3], max(0, at - 8192), at + 2) if at + 3 <= len(block) else -1
        if literals and (start >= 0 or len(literals) == 32 or at == len(block)):
            packed += bytes([len(literals) - 1]) + literals
            literals.clear()
        if start < 0:
            literals += block[at : at + 1]
            at += 1
            continue
        length = 3
        while length < 264 and at + length < len(block) and block[start + length] == block[at + length]:
            length += 1
        back, short = at - start - 1, min(length - 2, 7)
        packed.append((short << 5) + (back >> 8))
        packed += bytes([length - 9] * (short == 7) + [back & 255])
        at += length
    return bytes(packed)
