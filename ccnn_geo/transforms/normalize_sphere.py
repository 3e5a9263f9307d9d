"""Position and size of a cloud, made comparable."""

import torch

from ccnn_geo._base.pyg import BaseTransform, Data


class NormalizeSphere(BaseTransform):
    r"""Moves the mean of the points to the origin and scales the farthest point to radius 1.

    :math:`p_i \leftarrow (p_i - \bar p) / \max_j \lVert p_j - \bar p \rVert`. PyG's ``NormalizeScale``
    centres in the same way but scales the largest *coordinate* to 1. A cloud whose points coincide is
    only centred.

    The difference is taken in float64, so coordinates of any size that the input can tell apart (UTM metres)
    keep their detail.

    Shapes:
        ``pos [N, D]`` -> ``pos [N, D]`` float32. Normals do not change.

    Raises:
        ValueError: for a cloud without points, or with NaN or Inf.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = NormalizeSphere()(Data(pos=torch.rand(100, 3)))
        >>> round(data.pos.norm(dim=1).max().item(), 3)
        1.0
    """

    def forward(self, data: Data) -> Data:
        pos = data.pos.double()
        if len(pos) == 0 or not torch.isfinite(pos).all():
            raise ValueError(f"NormalizeSphere needs finite points, one or more, got pos {list(pos.shape)}")
        pos = pos - pos[0]  # first a nearby origin: the sum of large coordinates loses digits too
        pos = pos - pos.mean(dim=0)
        radius = pos.norm(dim=1).max()
        data.pos = (pos / radius if radius > 0 else pos).float()
        return data
