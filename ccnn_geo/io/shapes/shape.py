"""A mesh or a point cloud as a file holds it, and what is asked of any."""

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
        normals: ``[V, 3]`` float64, as stored in the file (any length, also zero or NaN, which
            :class:`~ccnn_geo.transforms.SampleShape` replaces). Clouds only: surfaces have the normals of their faces.
        cell: ``[3]`` float64, the edges of the cells that vertices are centres of. Of occupancy grids only.
        solid: ``[M, 3]`` float64, centres of all occupied cells; vertices are those at the surface.
        corners: ``[P]`` int64, how many each polygon of the file has: ``faces`` are ``c - 2`` triangles for one with
            ``c``, none for one with fewer than three. None if each is a triangle.
        present: ``[N]`` bool, which points of the file of a cloud have a position and are here; None for all.

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
        """Polygons of a mesh as its file counts them, or points of a cloud."""
        if self.faces is None:
            return len(self.vertices)
        return len(self.faces) if self.corners is None else len(self.corners)

    @property
    def polygon(self) -> np.ndarray:
        """Which polygon of the file each triangle is part of, ``[F]`` int64."""
        if self.faces is None:
            raise ValueError("polygon: expected a mesh, got a cloud")
        if self.corners is None:
            return np.arange(len(self.faces))
        return polygon_of_triangles(self.corners)

    def to_data(self) -> Data:
        """``Data(pos [V, 3], face [3, F], normal [V, 3], cell [1, 3], solid [M, 3], corners [P])`` of what there is."""
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
    """Which polygon each triangle ``[F]`` is part of, of polygons with so many corners ``[P]`` as fans."""
    return np.repeat(np.arange(len(corners)), np.maximum(corners - 2, 0))


def check_shape(path: Path | str, shape: Shape) -> Shape:
    """The shape if it is one: vertices, all finite, faces in range; a mesh without faces is a cloud.

    Normals of a mesh are not looked at; those of a cloud may be of any length, zero or NaN.
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
            f"{path}: normals {list(normals.shape)} of {len(vertices)} vertices, expected as many"
        )
    return Shape(vertices, None, normals, shape.cell, shape.solid, present=shape.present)
