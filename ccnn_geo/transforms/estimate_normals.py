"""Normals for clouds without any."""

import numpy as np
import torch

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.io import LARGEST


class EstimateNormals(BaseTransform):
    """Estimates normals as the direction of least variance among the k nearest points.

    Normals point away from the centroid of the cloud, which is outwards for a star-shaped body. On parts that
    curl inwards (the inner wall of a cup) they point the wrong way; no local rule can know.

    Args:
        k: neighbours of a point, including itself; all points if there are fewer.

    Shapes:
        ``pos [N, 3]`` -> ``normal [N, 3]`` of unit length. If the neighbours coincide, or there are fewer
        than 3 points, the normal is the direction from the centroid.

    Raises:
        ValueError: if k < 3, or the cloud is empty, not three-dimensional, or not finite when squared.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = EstimateNormals()(Data(pos=torch.rand(100, 3)))
        >>> data.normal.shape
        torch.Size([100, 3])
    """

    def __init__(self, k: int = 16) -> None:
        if k < 3:
            raise ValueError(f"a plane needs k >= 3 neighbours, got {k}")
        self.k = k

    def forward(self, data: Data) -> Data:
        if data.pos.dim() != 2 or data.pos.size(1) != 3 or len(data.pos) == 0:
            raise ValueError(f"EstimateNormals needs pos [N, 3] with N > 0, got {list(data.pos.shape)}")
        pos = data.pos.detach().cpu().double().numpy()
        if not np.abs(pos).max() <= LARGEST:  # also NaN; beyond it all distances are infinite
            raise ValueError(
                f"EstimateNormals needs coordinates of at most {LARGEST:g}, got {np.abs(pos).max():g}"
            )
        normal = torch.from_numpy(_estimate(pos, self.k))
        data.normal = normal.to(dtype=data.pos.dtype, device=data.pos.device)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}(k={self.k})"


def _estimate(pos: np.ndarray, k: int) -> np.ndarray:
    from scipy.spatial import cKDTree

    pos = pos - pos[0]  # keeps the precision of large coordinates
    outwards = pos - pos.mean(0)
    outwards[np.linalg.norm(outwards, axis=1) == 0] = (0.0, 0.0, 1.0)
    normal = outwards.copy()
    k = min(k, len(pos))
    if k >= 3:
        index = cKDTree(pos).query(pos, k=k)[1]
        for start in range(0, len(pos), 65536):  # bounds the memory of scans
            part = slice(start, start + 65536)
            patch = pos[index[part]]
            patch = patch - patch.mean(1, keepdims=True)
            variance, axes = np.linalg.eigh(patch.transpose(0, 2, 1) @ patch)
            flat = variance[:, 1] > 0  # else the neighbours coincide or lie on a line along an axis
            normal[part][flat] = axes[flat, :, 0]
    normal *= np.where((normal * outwards).sum(1, keepdims=True) < 0, -1.0, 1.0)
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)
