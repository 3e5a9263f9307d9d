"""What the network sees of a point."""

from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform


class PointFeatures(BaseTransform):
    """Sets ``data.x`` to the named fields side by side; the last of the transforms.

    The paper's point clouds use normals and positions (Appendix B), which is the default.

    Args:
        names: fields of ``data`` with one row per point.

    Shapes:
        fields ``[N, ...]`` -> ``x [N, C]``.

    Raises:
        ValueError: without names, if a field is missing, or has another number of rows than ``pos``.
    """

    def __init__(self, names: Sequence[str] = ("normal", "pos")) -> None:
        self.names = (names,) if isinstance(names, str) else tuple(names)
        if not self.names:
            raise ValueError("PointFeatures needs the name of at least one field, got none")

    def forward(self, data: Data) -> Data:
        fields = []
        for name in self.names:
            field = data.get(name)
            if field is None or field.dim() == 0 or len(field) != len(data.pos):
                raise ValueError(
                    f"PointFeatures needs {name!r} with a row for each of {len(data.pos)} points, got {data}"
                )
            fields.append(field.reshape(len(field), -1).to(data.pos.dtype))
        data.x = torch.cat(fields, dim=1)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.names})"
