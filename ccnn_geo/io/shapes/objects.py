"""Meshes, clouds and scenes of other libraries, recognised by attributes: trimesh and open3d are not imported."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, Protocol, TypeAlias

import numpy as np

from ccnn_geo.io.shapes.missing import without_missing
from ccnn_geo.io.shapes.read import read_shape
from ccnn_geo.io.shapes.scenes import join_scene
from ccnn_geo.io.shapes.shape import Shape, ShapeError, check_shape


class HasVertices(Protocol):
    """``trimesh.Trimesh``, ``trimesh.PointCloud``, ``open3d.geometry.TriangleMesh``, or a :class:`Shape`."""

    @property
    def vertices(self) -> Any: ...


class HasPoints(Protocol):
    """``open3d.geometry.PointCloud``."""

    @property
    def points(self) -> Any: ...


class HasParts(Protocol):
    """``trimesh.Scene``."""

    @property
    def geometry(self) -> Any: ...

    @property
    def graph(self) -> Any: ...


class HasLegacy(Protocol):
    """``open3d.t.geometry.PointCloud`` and ``TriangleMesh``."""

    def to_legacy(self) -> Any: ...


ShapeLike: TypeAlias = HasVertices | HasPoints | HasParts | HasLegacy
"""Objects that :func:`as_shape` accepts besides a path."""


def as_shape(source: str | PathLike[str] | ShapeLike, columns: Sequence[str] | None = None) -> Shape:
    """Converts a file, or a mesh, cloud or scene of trimesh or open3d, to a :class:`Shape`.

    The parts of a scene become one mesh, each in place; colours and textures are left out.

    Args:
        source: A path (see :func:`read_shape`), ``trimesh.Trimesh``, ``PointCloud`` or ``Scene``, or
            ``open3d.geometry.PointCloud`` or ``TriangleMesh``, also those of ``open3d.t``.
        columns: Names of the columns of a text file, see :func:`read_shape`.

    Raises:
        ShapeError: If the shape is not valid, see :func:`read_shape`.
        TypeError: If the source has another type.
    """
    if isinstance(source, (str, PathLike)):
        return read_shape(source, columns)
    name, thing = type(source).__name__, _legacy(source)
    if hasattr(thing, "geometry") and hasattr(thing, "graph"):
        return check_shape(name, without_missing(name, join_scene(name, thing)))
    points = getattr(thing, "vertices", getattr(thing, "points", None))
    if points is None:
        raise TypeError(
            f"expected a path, or a mesh, cloud or scene of trimesh or open3d, got {type(source).__name__}"
        )
    faces = getattr(thing, "faces", getattr(thing, "triangles", None))
    shape = Shape(
        _rows(name, "vertices", points, np.float64),
        None if faces is None else _rows(name, "faces", faces, np.int64),
        _normals(name, thing),
    )
    return check_shape(name, without_missing(name, shape))


def _legacy(source: Any) -> Any:
    return source.to_legacy() if hasattr(source, "to_legacy") else source


def _normals(name: str, thing: Any) -> np.ndarray | None:
    """The normals of a cloud; those of a mesh are not computed, because its faces give them."""
    normals = getattr(thing, "normals", None)
    return None if normals is None or len(normals) == 0 else _rows(name, "normals", normals, np.float64)


def _rows(name: str, what: str, values: Any, kind: type) -> np.ndarray:
    """A copy ``[N, 3]``."""
    try:
        found = np.asarray(values)
    except ValueError:  # rows of different lengths
        raise ShapeError(f"{name}: {what} in rows of different lengths, expected [N, 3]") from None
    found = found.reshape(0, 3) if found.size == 0 else found
    if (
        found.ndim != 2
        or found.shape[1] != 3
        or found.dtype.kind not in ("iu" if kind is np.int64 else "fiu")
    ):
        raise ShapeError(f"{name}: {what} {list(found.shape)} of {found.dtype}, expected [N, 3]")
    return np.array(found, dtype=kind)
