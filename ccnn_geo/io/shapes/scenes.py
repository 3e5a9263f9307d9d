"""Joins the parts of a scene, each in place, into one mesh."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ccnn_geo.io.shapes.shape import Shape, ShapeError


def join_scene(name: object, scene: Any) -> Shape:
    """Joins the parts of a trimesh scene, each in place, into one mesh.

    Raises:
        ShapeError: If there are no parts, or one is not a valid shape.
    """
    return join_parts(name, _parts(name, scene))


def join_parts(name: object, parts: Iterable[tuple[np.ndarray, np.ndarray | None]]) -> Shape:
    """Joins vertices and triangles of several parts into one mesh.

    Raises:
        ShapeError: If there are no parts.
    """
    vertices, faces, seen = [], [], 0
    for points, triangles in parts:
        vertices.append(points)
        if triangles is not None:
            faces.append(triangles + seen)
        seen += len(points)
    if not vertices:
        raise ShapeError(f"{name}: no geometry found, expected a mesh or points")
    return Shape(
        np.concatenate(vertices).astype(np.float64),
        np.concatenate(faces).astype(np.int64) if faces else None,
    )


def _parts(name: object, scene: Any) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    for node in scene.graph.nodes_geometry:
        transform, key = scene.graph[node]
        part = scene.geometry[key]
        points, faces = np.asarray(part.vertices), getattr(part, "faces", None)
        if points.shape[1:] != (3,):
            raise ShapeError(f"{name}: part {key!r:.40} of vertices {list(points.shape)}, expected [N, 3]")
        vertices = points @ transform[:3, :3].T + transform[:3, 3]
        if faces is None or len(faces) == 0:
            yield vertices, None
            continue
        if faces.min() < 0 or faces.max() >= len(points):
            raise ShapeError(
                f"{name}: part {key!r:.40} uses vertices {faces.min()} to {faces.max()}, expected 0 to "
                f"{len(points) - 1}"
            )
        # a mirrored part would be inside out
        yield vertices, faces[:, ::-1] if np.linalg.det(transform[:3, :3]) < 0 else faces
