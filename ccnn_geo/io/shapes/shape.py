"""A mesh or a point cloud as stored in a file, and the checks that apply to all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ccnn_geo._base.pyg import Data

LARGEST = 1e100
"""Largest coordinate: its square, and sums of those, still fit into float64."""


class ShapeError(ValueError):
    """A file is not a readable shape; the message names the file, what was found and what was expected."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A triangle mesh, or a point cloud if ``faces`` is None.

    Args:
        vertices: ``[V, 3]`` float64, in the units of the file.
        faces: ``[F, 3]`` int64, indices into ``vertices``; counter-clockwise seen from outside.
        normals: ``[V, 3]`` float64, as stored in the file; any length, including zero or NaN, which
            :class:`~ccnn_geo.transforms.SampleShape` replaces. For clouds only: surfaces have the normals of their
            faces.
        cell: ``[3]`` float64, edges of the cells that have the vertices as centres. For occupancy grids only.
        solid: ``[M, 3]`` float64, centres of all occupied cells; vertices are those at the surface.
        corners: ``[P]`` int64, number of corners of each polygon in the file: a polygon with ``c`` corners becomes
            ``c - 2`` triangles of ``faces``, or none if ``c`` is below three. None if all polygons are triangles.
        present: ``[N]`` bool, which points of a cloud's file have a position and are kept; None for all.

    Example:
        >>> import numpy as np
        >>> triangle = Shape(np.eye(3), faces=np.array([[0, 1, 2]]))
        >>> triangle.to_data()
        Data(pos=[3, 3], face=[3, 1])
    """

    vertices: np.ndarray
    faces: np.ndarray | None = None
    normals: np.ndarray | None = None
    cell: np.ndarray | None = None
    solid: np.ndarray | None = None
    corners: np.ndarray | None = None
    present: np.ndarray | None = None

    @property
    def num_parts(self) -> int:
        """Number of polygons in a mesh's file, or of points in a cloud."""
        if self.faces is None:
            return len(self.vertices)
        return len(self.faces) if self.corners is None else len(self.corners)

    @property
    def polygon(self) -> np.ndarray:
        """The polygon of the file that each triangle belongs to, ``[F]`` int64."""
        if self.faces is None:
            raise ValueError("polygon: expected a mesh, got a cloud")
        if self.corners is None:
            return np.arange(len(self.faces))
        return polygon_of_triangles(self.corners)

    def to_data(self) -> Data:
        """``Data(pos [V, 3], face [3, F], normal [V, 3], cell [1, 3], solid [M, 3], corners [P])``, if they exist."""
        data = Data(pos=torch.from_numpy(self.vertices))
        if self.faces is not None:
            data.face = torch.from_numpy(self.faces.T)
        if self.normals is not None:
            data.normal = torch.from_numpy(self.normals)
        if self.cell is not None:
            data.cell = torch.from_numpy(self.cell[None])
        if self.solid is not None:
            data.solid = torch.from_numpy(self.solid)
        if self.corners is not None:
            data.corners = torch.from_numpy(self.corners)
        return data


def polygon_of_triangles(corners: np.ndarray) -> np.ndarray:
    """The polygon ``[F]`` of each triangle, for polygons with ``corners`` ``[P]`` as fans."""
    return np.repeat(np.arange(len(corners)), np.maximum(corners - 2, 0))


def check_shape(path: Path | str, shape: Shape) -> Shape:
    """Returns a valid shape: vertices, all finite, faces in range; a mesh without faces is a cloud.

    Normals of a mesh are not checked; those of a cloud may have any length, zero or NaN.
    """
    vertices, faces, normals = shape.vertices, shape.faces, shape.normals
    if len(vertices) == 0:
        raise ShapeError(f"{path}: no vertices found, expected at least one")
    if not np.isfinite(vertices).all():
        bad = np.flatnonzero(~np.isfinite(vertices).all(1))
        raise ShapeError(
            f"{path}: NaN or Inf in {len(bad)} vertices (first: number {bad[0]}), expected numbers"
        )
    if np.abs(vertices).max() > LARGEST:
        raise ShapeError(
            f"{path}: coordinates up to {np.abs(vertices).max():.3g}, expected at most {LARGEST:g}"
        )
    if faces is not None and len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ShapeError(
            f"{path}: faces use vertices {faces.min()} to {faces.max()}, expected 0 to {len(vertices) - 1}"
        )
    if faces is not None and len(faces):
        return Shape(vertices, faces, corners=shape.corners)
    if normals is not None and len(normals) != len(vertices):
        raise ShapeError(
            f"{path}: normals {list(normals.shape)} for {len(vertices)} vertices, expected as many"
        )
    return Shape(vertices, None, normals, shape.cell, shape.solid, present=shape.present)
