"""Augmentation: rotated clouds."""

import math

import torch
from torch import Generator, Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms._points import uniform


class RandomRotate(BaseTransform):
    r"""Rotates positions and normals together by a random angle about one axis.

    :math:`p \leftarrow R p`, :math:`n \leftarrow R n`. For upright shapes, choose the vertical axis: z in
    ModelNet and in most scans, y in most graphics formats.

    Args:
        axis: "x", "y" or "z".
        degrees: the angle is uniform on [-degrees, degrees].
        generator: source of randomness (default: torch's global one).

    Shapes:
        ``pos [N, 3]``, ``normal [N, 3]`` (if present), unchanged in shape.

    Raises:
        ValueError: for another axis, a negative angle, or points that are not three-dimensional.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = RandomRotate("z")(Data(pos=torch.tensor([[0.0, 0.0, 1.0]])))
        >>> data.pos.tolist()
        [[0.0, 0.0, 1.0]]
    """

    def __init__(self, axis: str = "z", degrees: float = 180.0, generator: Generator | None = None) -> None:
        if axis not in ("x", "y", "z") or degrees < 0:
            raise ValueError(f"expected axis 'x', 'y' or 'z' and degrees >= 0, got {axis!r} and {degrees}")
        self.axis = axis
        self.degrees = float(degrees)
        self.generator = generator

    def forward(self, data: Data) -> Data:
        if data.pos.size(1) != 3:
            raise ValueError(f"RandomRotate needs pos [N, 3], got {list(data.pos.shape)}")
        check_one_device("RandomRotate", pos=data.pos, normal=data.get("normal"))
        limit = math.radians(self.degrees)
        rotation = _about("xyz".index(self.axis), uniform(-limit, limit, data.pos, 1, self.generator))
        data.pos = data.pos @ rotation.T
        if data.get("normal") is not None:
            data.normal = data.normal @ rotation.T.to(data.normal.dtype)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}(axis={self.axis!r}, degrees={self.degrees:g})"


def _about(axis: int, angle: Tensor) -> Tensor:
    """Right-handed rotation matrix ``[3, 3]``."""
    u, v = (axis + 1) % 3, (axis + 2) % 3
    rotation = torch.eye(3, dtype=angle.dtype, device=angle.device)
    rotation[u, u] = rotation[v, v] = angle.cos().squeeze()
    rotation[v, u] = angle.sin().squeeze()
    rotation[u, v] = -angle.sin().squeeze()
    return rotation
