"""Parts of a glTF mesh: vertices and triangles, at rest or bent by a skeleton."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ccnn_geo.io.shapes.gltf_file import GltfFile
from ccnn_geo.io.shapes.shape import ShapeError

_TRIANGLES, _STRIP, _FAN = 4, 5, 6


@dataclass(frozen=True, eq=False)
class Part:
    """Vertices ``[V, 3]``, triangles ``[F, 3]``, and joints and their weights ``[V, K]`` if there are any."""

    vertices: np.ndarray
    triangles: np.ndarray
    joints: np.ndarray | None = None
    weights: np.ndarray | None = None

    def placed(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vertices and triangles, moved by a matrix ``[4, 4]``, or by one per vertex ``[V, 4, 4]``.

        Mirrored triangles are reversed, or they would be inside out.
        """
        linear, moved = matrix[..., :3, :3], matrix[..., :3, 3]
        vertices = np.einsum("...ij,...j->...i", linear, self.vertices) + moved
        mirrored = np.linalg.det(linear) < 0
        turned = mirrored[self.triangles[:, :1]] if matrix.ndim == 3 else mirrored
        return vertices, np.where(turned, self.triangles[:, ::-1], self.triangles)

    def bent(self, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vertices and triangles, moved by the matrices ``[J, 4, 4]`` of the joints."""
        if self.joints is None or self.weights is None:
            raise ValueError("expected joints and weights, got none")
        matrix = np.zeros((len(self.vertices), 4, 4))
        for k in range(self.joints.shape[1]):
            matrix += self.weights[:, k, None, None] * joints[self.joints[:, k]]
        return self.placed(matrix)


def read_parts(gltf: GltfFile, mesh: dict[str, Any], weights: np.ndarray) -> list[Part]:
    """All parts of a mesh, moved towards its morph targets by ``weights``."""
    parts = []
    for primitive in gltf.groups(mesh, "primitives"):
        parts.append(_read_part(gltf, primitive, weights))
    return parts


def _read_part(gltf: GltfFile, primitive: dict[str, Any], weights: np.ndarray) -> Part:
    attributes = gltf.group(primitive, "attributes")
    if "POSITION" not in attributes:
        raise ShapeError(
            f"{gltf.path}: a part with attributes {', '.join(attributes) or 'none'}, expected POSITION"
        )
    vertices = gltf.floats(attributes["POSITION"], "VEC3")
    for target, weight in zip(gltf.groups(primitive, "targets"), weights, strict=False):
        if weight and "POSITION" in target:
            moved = gltf.floats(target["POSITION"], "VEC3")
            vertices = vertices + weight * _as_many(gltf, "target positions", moved, vertices)
    mode = gltf.whole(primitive, "mode", _TRIANGLES)
    if mode > _FAN:
        raise ShapeError(f"{gltf.path}: a part of mode {mode}, expected 0 (points) to {_FAN} (triangle fan)")
    joints, pulls = _joints(gltf, attributes, vertices)
    if "indices" not in primitive:
        return Part(vertices, _triangles(gltf, mode, np.arange(len(vertices))), joints, pulls)
    indices = gltf.integers(primitive["indices"], "SCALAR")[:, 0]
    if indices.max() >= len(vertices):
        raise ShapeError(
            f"{gltf.path}: a part uses vertices 0 to {indices.max()}, expected 0 to {len(vertices) - 1}"
        )
    if mode >= _TRIANGLES:
        return Part(vertices, _triangles(gltf, mode, indices), joints, pulls)
    used = np.unique(indices)  # other vertices of points and lines are not shown
    joints, pulls = (None if array is None else array[used] for array in (joints, pulls))
    return Part(vertices[used], np.empty((0, 3), np.int64), joints, pulls)


def _triangles(gltf: GltfFile, mode: int, corners: np.ndarray) -> np.ndarray:
    """Triangles ``[F, 3]`` of a list, a strip or a fan of corners."""
    if mode < _TRIANGLES:
        return np.empty((0, 3), np.int64)
    if mode == _TRIANGLES:
        if len(corners) % 3:
            raise ShapeError(f"{gltf.path}: {len(corners)} corners of triangles, expected a multiple of 3")
        return corners.reshape(-1, 3)
    first = np.arange(max(0, len(corners) - 2))
    if mode == _FAN:
        return corners[np.stack([first + 1, first + 2, 0 * first], axis=1)]
    odd = first % 2
    return corners[np.stack([first, first + 1 + odd, first + 2 - odd], axis=1)]


def _joints(
    gltf: GltfFile, attributes: dict[str, Any], vertices: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Joints, and weights that sum to 1, of all sets of four."""
    names = [
        name for name in attributes if name.startswith("JOINTS_") and f"WEIGHTS_{name[7:]}" in attributes
    ]
    if not names:
        return None, None
    joints = [gltf.integers(attributes[name], "VEC4") for name in names]
    weights = [gltf.floats(attributes[f"WEIGHTS_{name[7:]}"], "VEC4") for name in names]
    for array in (*joints, *weights):
        _as_many(gltf, "joints and weights", array, vertices)
    pulls = np.concatenate(weights, axis=1)
    total = pulls.sum(1, keepdims=True)
    if not (total > 0).all():
        raise ShapeError(f"{gltf.path}: weights of joints sum to {total.min()}, expected 1")
    return np.concatenate(joints, axis=1), pulls / total


def _as_many(gltf: GltfFile, what: str, array: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    if len(array) != len(vertices):
        raise ShapeError(f"{gltf.path}: {len(array)} {what} for {len(vertices)} vertices, expected as many")
    return array
