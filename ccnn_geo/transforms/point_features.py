"""Features of points for a network."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import BaseTransform, Data

FEATURES = {"normal": 3, "pos": 3, "normal_outer": 6, "constant": 1}
"""Number of channels per feature; every shape has these."""


class PointFeatures(BaseTransform):
    r"""Sets ``data.x`` to the concatenated fields; use it as the last transform.

    The paper's point clouds use normals and positions (Appendix B), which is the default. Two more features are
    computed. ``normal_outer`` are the six products :math:`(n_x^2, n_y^2, n_z^2, n_x n_y, n_y n_z, n_z n_x)`, which
    ignore the side of a surface, for meshes with inconsistent normals. ``constant`` is 1, so that a first convolution
    can see where points are.

    Args:
        names: fields of ``data`` with one row per point, or these two.

    Shapes:
        fields ``[N, ...]`` -> ``x [N, C]``.

    Raises:
        ValueError: without names, if a field is missing, or has another number of rows than ``pos``.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = PointFeatures(["constant", "pos"])(Data(pos=torch.rand(100, 3)))
        >>> data.x.shape
        torch.Size([100, 4])
    """

    def __init__(self, names: Sequence[str] = ("normal", "pos")) -> None:
        self.names = (names,) if isinstance(names, str) else tuple(names)
        if not self.names:
            raise ValueError("PointFeatures needs the name of at least one field, got none")

    def forward(self, data: Data) -> Data:
        fields = []
        for name in self.names:
            field = _made(name, data)
            if field is None or field.dim() == 0 or len(field) != len(data.pos):
                raise ValueError(
                    f"PointFeatures needs {name!r} with a row for each of {len(data.pos)} points, got {data}"
                )
            fields.append(field.reshape(len(field), -1).to(data.pos.dtype))
        check_one_device("PointFeatures", **dict(zip(self.names, fields, strict=True)))
        data.x = torch.cat(fields, dim=1)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.names})"


def _made(name: str, data: Data) -> Tensor | None:
    """A field of the data, or a feature computed from fields."""
    if name in data or name not in ("normal_outer", "constant"):
        return data.get(name)
    if name == "constant":
        return torch.ones_like(data.pos[:, 0])
    normal = data.get("normal")
    return None if normal is None else torch.cat([normal.square(), normal * normal.roll(-1, dims=1)], dim=1)
