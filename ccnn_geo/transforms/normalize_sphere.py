"""Normalisation of a cloud's position and size."""

from typing import NamedTuple

import torch
from torch import Tensor

from ccnn_geo._base.pyg import BaseTransform, Data


class Placement(NamedTuple):
    """Maps positions of a file to a sample: :math:`(p - n - m) / s`, in float64."""

    near: Tensor
    """A position near the shape, ``[D]``, subtracted first, because large coordinates lose digits in a sum."""
    middle: Tensor
    scale: Tensor

    def __call__(self, pos: Tensor) -> Tensor:
        """Maps positions ``[N, D]`` of the file to the sample, in float32."""
        return ((pos.double() - self.near - self.middle) / self.scale).float()


def sphere_placement(pos: Tensor) -> Placement:
    """The placement of :class:`NormalizeSphere` for the points of a shape.

    Raises:
        ValueError: If there are no points, or they contain NaN or Inf.
    """
    pos = pos.double()
    if len(pos) == 0 or not torch.isfinite(pos).all():
        raise ValueError(f"NormalizeSphere needs finite points, one or more, got pos {list(pos.shape)}")
    near = pos[0]
    pos = pos - near
    middle = pos.mean(dim=0)
    radius = (pos - middle).norm(dim=1).max()
    return Placement(near, middle, radius if radius > 0 else torch.ones_like(radius))


class NormalizeSphere(BaseTransform):
    r"""Moves the mean of the points to the origin and scales the farthest point to radius 1.

    :math:`p_i \leftarrow (p_i - \bar p) / \max_j \lVert p_j - \bar p \rVert`. PyG's ``NormalizeScale``
    centres in the same way but scales the largest *coordinate* to 1. If all points of a cloud coincide, it is
    only centred.

    The difference is taken in float64, so large coordinates (UTM metres) keep their detail.

    Shapes:
        ``pos [N, D]`` -> ``pos [N, D]`` float32. Normals do not change.

    Raises:
        ValueError: if a cloud has no points, or contains NaN or Inf.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = NormalizeSphere()(Data(pos=torch.rand(100, 3)))
        >>> round(data.pos.norm(dim=1).max().item(), 3)
        1.0
    """

    def forward(self, data: Data) -> Data:
        data.pos = sphere_placement(data.pos)(data.pos)
        return data
