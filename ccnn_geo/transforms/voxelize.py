"""Clouds as voxels."""

import torch
from torch import Generator
from torch.nn.functional import normalize

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.functional.representations import voxelize
from ccnn_geo.transforms._points import at_least_one


class Voxelize(BaseTransform):
    """Replaces a cloud on [-1, 1]^D by the centres of its non-empty voxels (Appendix B: 40^3 bins, 512 kept).

    Clouds with fewer voxels keep all of them, so sizes differ. Use it after
    :class:`~ccnn_geo.transforms.NormalizeSphere` and before :class:`~ccnn_geo.transforms.PointFeatures`.

    Args:
        size: bins along each axis.
        num: voxels to keep; None keeps all.
        random: choose new ones on every call; otherwise the choice depends only on the voxels.
        generator: source of randomness (default: torch's global one).

    Shapes:
        ``pos [N, D] -> [M, D]``, ``x [N, C] -> [M, C]`` (mean over the voxel), ``normal [N, D] -> [M, D]``
        (mean, unit length; 0 where normals cancel), M <= num. Voxels are in lattice order.

    Raises:
        ValueError: if a point is outside [-1, 1]^D, or there are other tensors with one row per point.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = Voxelize(4, num=None)(Data(pos=torch.rand(1000, 3)))
        >>> data.pos.unique(dim=0).size(0) == data.pos.size(0) <= 8
        True
    """

    def __init__(
        self, size: int = 40, num: int | None = 512, random: bool = True, generator: Generator | None = None
    ) -> None:
        self.size = at_least_one(size)
        self.num = None if num is None else at_least_one(num)
        self.random = random
        self.generator = generator

    def forward(self, data: Data) -> Data:
        total = data.num_nodes
        averaged = [key for key in ("normal", "x") if data.get(key) is not None]
        for key in data.keys():  # noqa: SIM118 (a Data is not a dict)
            if key not in ("pos", "y", *averaged) and data.is_node_attr(key) and total > 1:
                raise ValueError(f"Voxelize can average 'x' and 'normal', not {key!r}; remove it, got {data}")
        if data.get("y") is not None and total > 1 and len(data.y) == total:
            raise ValueError(f"Voxelize cannot average labels of points, got {data}")
        check_one_device("Voxelize", pos=data.pos, **{key: data[key] for key in averaged})
        columns = torch.cat([data[key] for key in averaged], dim=1) if averaged else None
        data.pos, columns, _ = voxelize(data.pos, self.size, columns)
        index = self._choose(len(data.pos)).to(data.pos.device)
        data.pos = data.pos[index]
        widths = [data[key].size(1) for key in averaged]
        parts = () if columns is None else columns[index].split(widths, dim=1)
        for key, part in zip(averaged, parts, strict=True):
            data[key] = normalize(part, dim=1) if key == "normal" else part
        return data

    def _choose(self, total: int) -> torch.Tensor:
        if self.num is None or total <= self.num:
            return torch.arange(total)
        # the first voxels in lattice order would be one side of the shape: always shuffle
        generator = self.generator if self.random else torch.Generator().manual_seed(0)
        return torch.randperm(total, generator=generator)[: self.num].sort().values

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, num={self.num}, random={self.random})"
