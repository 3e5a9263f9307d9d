"""Sources of a shape: a file, an array, a ``Data``, or an object of trimesh or open3d."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ccnn_geo._base.pyg import Data
from ccnn_geo.io import LARGEST, as_shape
from ccnn_geo.io.shapes.arrays import array_cloud
from ccnn_geo.io.shapes.objects import ShapeLike

INDEX = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
Source: TypeAlias = str | PathLike[str] | np.ndarray | Tensor | Data | ShapeLike


def read_source(source: Source, columns: Sequence[str] | None = None) -> Data:
    """Reads positions, and faces or normals, in double precision on the CPU.

    Args:
        source: A file, an array, a ``Data``, or an object of trimesh or open3d.
        columns: Names of the columns in a text file.

    Raises:
        ShapeError: If a file or object is not a valid shape.
        ValueError: If an array or a ``Data`` is not a valid shape.
        TypeError: If the source has another type.
    """
    if isinstance(source, Data):
        return _checked(source)
    if isinstance(source, (np.ndarray, Tensor)):
        if isinstance(source, Tensor):
            source = source.detach().cpu()
            # numpy has no bfloat16
            array = (source.float() if source.dtype == torch.bfloat16 else source).numpy()
        elif isinstance(source, np.ma.MaskedArray):  # masked values are missing
            array = np.where(np.ma.getmaskarray(source), np.nan, source.data)
        else:
            array = source
        shape = array_cloud("predict", array)
        return shape.to_data() if shape.cell is not None else _checked(shape.to_data())
    try:
        return as_shape(source, columns).to_data()
    except TypeError as error:
        raise TypeError(
            "predict: expected a path, an array, a Data, or a mesh, cloud or scene of trimesh or open3d, got "
            f"{type(source).__name__}"
        ) from error


def _checked(data: Data) -> Data:
    """Checks a cloud or mesh, and keeps only its positions, faces and normals."""
    pos = data.pos
    if not isinstance(pos, Tensor) or pos.dim() != 2 or pos.size(1) != 3 or pos.size(0) == 0:
        raise ValueError(f"predict: expected pos [N, 3] with N > 0, got {data}")
    if pos.is_complex() or not bool(torch.isfinite(pos).all()):
        raise ValueError(f"predict: expected finite positions, got NaN, Inf or complex numbers in {data}")
    clean = Data(pos=pos.detach().cpu().double())
    if clean.pos.abs().max() > LARGEST:
        raise ValueError(
            f"predict: expected coordinates of at most {LARGEST:g}, got {clean.pos.abs().max():g}"
        )
    face, normal = data.get("face"), data.get("normal")
    if face is not None:
        if (
            not isinstance(face, Tensor)
            or face.dtype not in INDEX
            or face.shape[:1] != (3,)
            or face.dim() != 2
        ):
            raise ValueError(f"predict: expected face [3, F] of integers, got {_described(face)}")
        if face.numel() and not 0 <= int(face.min()) <= int(face.max()) < len(pos):
            raise ValueError(
                f"predict: expected face of 0 to {len(pos) - 1}, got {int(face.min())} to {int(face.max())}"
            )
        clean.face = face.detach().cpu().long()
    if normal is not None:
        if not isinstance(normal, Tensor) or normal.is_complex() or normal.shape != pos.shape:
            raise ValueError(f"predict: expected normal {list(pos.shape)} as pos, got {_described(normal)}")
        clean.normal = normal.detach().cpu().double()
    return clean


def _described(value: object) -> str:
    return f"{list(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
