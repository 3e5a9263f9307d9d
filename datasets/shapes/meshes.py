"""Meshes from formulas: prisms, bodies of revolution, tubes and boxes, all facing outwards."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

import numpy as np

Mesh = tuple[np.ndarray, np.ndarray]
"""Vertices ``[V, 3]`` float64 and triangles ``[F, 3]`` int64."""


def merge_meshes(meshes: Iterable[Mesh]) -> Mesh:
    """Joins several meshes into one, without changing the parts."""
    vertices, faces, seen = [], [], 0
    for v, f in meshes:
        vertices.append(v)
        faces.append(f + seen)
        seen += len(v)
    return np.concatenate(vertices), np.concatenate(faces)


def prism(outline: np.ndarray, low: float, high: float, taper: float = 1.0) -> Mesh:
    """A star-shaped polygon ``[M, 2]`` (counter-clockwise, around the origin) between two heights.

    The upper face is ``taper`` times as wide as the lower one.
    """
    m = len(outline)
    i = np.arange(m)
    j = (i + 1) % m
    ring = np.column_stack([outline, np.full(m, low)]), np.column_stack([outline * taper, np.full(m, high)])
    vertices = np.concatenate([*ring, [[0, 0, low], [0, 0, high]]])
    below, above = np.full(m, 2 * m), np.full(m, 2 * m + 1)
    faces = [(i, j, m + j), (i, m + j, m + i), (j, i, below), (m + i, m + j, above)]
    return vertices, np.concatenate([np.column_stack(f) for f in faces])


def regular_polygon(sides: int | np.integer, radius: float = 1.0) -> np.ndarray:
    """Corners ``[sides, 2]``, counter-clockwise."""
    angle = 2 * np.pi * np.arange(sides) / sides
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def box(center: Iterable[float], extent: Iterable[float]) -> Mesh:
    """An axis-aligned box with edge lengths ``extent``."""
    vertices, faces = prism(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2, -0.5, 0.5)
    return vertices * np.asarray(extent) + np.asarray(center), faces


def revolve(profile: np.ndarray, segments: int, closed: bool) -> Mesh:
    """Turns a profile ``[M, 2]`` of (radius, height) about the z-axis.

    The profile runs counter-clockwise around the material; ``closed`` joins its ends, otherwise they lie on the
    axis.
    """
    m = len(profile)
    angle = 2 * np.pi * np.arange(segments) / segments
    radius, height = profile.T
    vertices = np.stack(
        [np.outer(np.cos(angle), radius), np.outer(np.sin(angle), radius), np.tile(height, (segments, 1))],
        axis=-1,
    ).reshape(-1, 3)
    return vertices, _lattice(segments, m, wrap=closed)


def tube(path: np.ndarray, radius: float, segments: int = 8) -> Mesh:
    """A round tube along a path ``[M, 3]``, with closed ends."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent[0], np.eye(3)[np.abs(tangent[0]).argmin()])
    angle = 2 * np.pi * np.arange(segments) / segments
    rings = []
    for point, direction in zip(path, tangent, strict=True):
        side = side - direction * (side @ direction)  # carried along without twist
        side /= np.linalg.norm(side)
        other = np.cross(direction, side)
        rings.append(point + radius * (np.outer(np.cos(angle), side) + np.outer(np.sin(angle), other)))
    m = len(path)
    i = np.arange(segments)
    j = (i + 1) % segments
    first, last, end = (
        np.full(segments, m * segments),
        np.full(segments, m * segments + 1),
        (m - 1) * segments,
    )
    caps = [np.column_stack([j, i, first]), np.column_stack([end + i, end + j, last])]
    walls = [
        np.column_stack(f)
        for k in range(m - 1)
        for a, b in [(k * segments, (k + 1) * segments)]
        for f in [(a + i, a + j, b + j), (a + i, b + j, b + i)]
    ]
    return np.concatenate([*rings, path[:1], path[-1:]]), np.concatenate([*walls, *caps])


def _lattice(rows: int, columns: int, wrap: bool) -> np.ndarray:
    """Triangles between the cells of a lattice with closed rows; ``wrap`` closes the columns too."""
    grid = np.meshgrid(np.arange(rows), np.arange(columns if wrap else columns - 1), indexing="ij")
    i, j = (index.ravel() for index in grid)
    up, right = (i + 1) % rows, (j + 1) % columns
    a, b, c, d = i * columns + j, up * columns + j, up * columns + right, i * columns + right
    return np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])


def write_off(path: str | PathLike[str], mesh: Mesh) -> None:
    """Writes a mesh as OFF, coordinates with five decimals."""
    vertices, faces = mesh
    lines = ["OFF", f"{len(vertices)} {len(faces)} 0"]
    lines += [f"{x:.5f} {y:.5f} {z:.5f}" for x, y, z in vertices.tolist()]
    lines += [f"3 {a} {b} {c}" for a, b, c in faces.tolist()]
    Path(path).write_text("\n".join(lines) + "\n", encoding="ascii")
