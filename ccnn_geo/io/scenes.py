"""PLY, STL and GLB by trimesh, PCD by open3d; both are imported when such a file is read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ccnn_geo.io.shape import Shape, ShapeError


def read_scene(path: Path) -> Shape:
    import trimesh

    if path.suffix.lower() == ".ply":
        _check_ply_length(path)
    scene = trimesh.load_scene(path, process=False)
    vertices, faces, normals, seen = [], [], [], 0
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        part = scene.geometry[name]
        vertices.append(trimesh.transform_points(part.vertices, transform))
        if getattr(part, "faces", None) is not None:
            faces.append(part.faces + seen)
        normals.append(_ply_normals(part))
        seen += len(vertices[-1])
    if not vertices:
        raise ShapeError(
            f"{path}: no geometry found, expected a mesh or points (truncated or not {path.suffix}?)"
        )
    return Shape(
        np.concatenate(vertices).astype(np.float64),
        np.concatenate(faces).astype(np.int64) if faces else None,
        None if any(n is None for n in normals) else np.concatenate(normals),
    )


def _ply_normals(part: object) -> np.ndarray | None:
    """Normals of a PLY point cloud, which trimesh keeps only in the metadata."""
    vertex = part.metadata.get("_ply_raw", {}).get("vertex", {}).get("data", ())
    names = vertex.dtype.names or () if isinstance(vertex, np.ndarray) else vertex
    if not {"nx", "ny", "nz"} <= set(names):
        return None
    return np.stack([np.asarray(vertex[n], dtype=np.float64).reshape(-1) for n in ("nx", "ny", "nz")], axis=1)


def _check_ply_length(path: Path) -> None:
    """Compare a text PLY with its own header: trimesh reads what is left of a truncated one."""
    header, end, body = path.read_bytes().partition(b"end_header")
    if not end:
        raise ShapeError(f"{path}: no end_header, expected a PLY header")
    if b"format ascii" in header:
        expected = sum(int(n) for n in re.findall(rb"^\s*element\s+\S+\s+(\d+)", header, re.M))
        found = sum(1 for line in body.splitlines() if line.strip())
        if found < expected:
            raise ShapeError(f"{path}: truncated, {found} lines of data found, expected {expected}")


def read_pcd(path: Path) -> Shape:
    try:
        import open3d
    except (ImportError, OSError) as error:  # OSError: a system library of open3d is missing
        raise ImportError(
            f"{path}: reading .pcd needs open3d: pip install ccnn_geo[open3d], and the system libraries "
            f"libusb-1.0-0 libgl1 libgomp1 libx11-6 ({error})"
        ) from error
    cloud = open3d.io.read_point_cloud(str(path), remove_nan_points=False, remove_infinite_points=False)
    normals = np.asarray(cloud.normals, dtype=np.float64) if cloud.has_normals() else None
    return Shape(np.asarray(cloud.points, dtype=np.float64).reshape(-1, 3), None, normals)
