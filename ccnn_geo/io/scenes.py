"""GLB by trimesh, which is imported when such a file is read."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.io.shape import Shape, ShapeError

_MODES = {0: "points", 1: "lines", 4: "triangles", 5: "triangle strips"}
_GLB, _JSON = 0x46546C67, 0x4E4F534A


def read_glb(path: Path) -> Shape:
    """All parts of a scene, each in its place, without materials and textures."""
    import trimesh

    content = path.read_bytes()
    _check_glb(path, content)
    # from memory: a file would be asked for as much as its header claims, and could name others
    scene = trimesh.load_scene(io.BytesIO(content), file_type="glb", process=False, skip_materials=True)
    return join_scene(path, scene)


def join_scene(name: object, scene: Any) -> Shape:
    """The parts of a trimesh scene as one mesh, each in its place.

    Raises:
        ShapeError: If there is none.
    """
    from trimesh import transform_points

    vertices, faces, seen = [], [], 0
    for node in scene.graph.nodes_geometry:
        transform, key = scene.graph[node]
        part = scene.geometry[key]
        vertices.append(transform_points(part.vertices, transform))
        if getattr(part, "faces", None) is not None:
            # a mirrored part would be inside out
            mirrored = np.linalg.det(transform[:3, :3]) < 0
            faces.append((part.faces[:, ::-1] if mirrored else part.faces) + seen)
        seen += len(vertices[-1])
    if not vertices:
        raise ShapeError(f"{name}: no geometry found, expected a mesh or points")
    return Shape(
        np.concatenate(vertices).astype(np.float64),
        np.concatenate(faces).astype(np.int64) if faces else None,
    )


def _check_glb(path: Path, content: bytes) -> None:
    """Refuses what trimesh would skip, fill with zeros, fetch from elsewhere, or allocate unseen."""
    if len(content) < 20 or struct.unpack_from("<I", content)[0] != _GLB:
        raise ShapeError(
            f"{path}: starts with {content[:4]!r}, {len(content)} bytes, expected b'glTF' and a scene"
        )
    version, length, size, kind = struct.unpack_from("<4I", content, 4)
    if version != 2 or kind != _JSON:
        raise ShapeError(
            f"{path}: glTF {version}, first chunk of type {kind:#x}, expected glTF 2 and {_JSON:#x}"
        )
    if max(length, 20 + size) > len(content):
        raise ShapeError(f"{path}: truncated, {len(content)} bytes, expected {max(length, 20 + size)}")
    header: dict[str, Any] = json.loads(content[20 : 20 + size])
    accessors = header.get("accessors", [])
    for buffer in header.get("buffers", []):
        if not buffer.get("uri", "data:").startswith("data:"):
            raise ShapeError(f"{path}: data in {buffer['uri'][:40]!r}, expected them inside the file")
    for accessor in accessors:
        if not 0 < accessor["count"] <= len(content):
            raise ShapeError(
                f"{path}: {accessor['count']} entries in {len(content)} bytes, expected 1 to that"
            )
    for primitive in (p for mesh in header.get("meshes", []) for p in mesh["primitives"]):
        if primitive.get("mode", 4) not in _MODES:
            raise ShapeError(
                f"{path}: parts of mode {primitive['mode']}, expected {', '.join(_MODES.values())}"
            )
        for index in (primitive["attributes"]["POSITION"], primitive.get("indices")):
            if index is not None and ("bufferView" not in accessors[index] or "sparse" in accessors[index]):
                raise ShapeError(f"{path}: compressed or sparse geometry, expected plain one")
