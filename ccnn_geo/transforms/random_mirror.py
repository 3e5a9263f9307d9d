"""Augmentation: mirror images of clouds."""

from torch import Generator

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms._points import uniform
from ccnn_geo.transforms.turn_up import AXES


class RandomMirror(BaseTransform):
    r"""Mirrors a cloud along each given axis with probability 1/2, for classes that contain their mirror images.

    :math:`p_d \leftarrow \pm p_d`, normals likewise.

    Args:
        axes: Names of the axes, such as ``"xz"``.
        generator: Source of randomness (default: torch's global one).

    Shapes:
        ``pos [N, 3]``, ``normal [N, 3]`` (if present), unchanged in shape.

    Raises:
        ValueError: If the axes are not some of x, y and z, each once, or positions are not three-dimensional.

    Example:
        >>> from torch_geometric.data import Data
        >>> RandomMirror("x")(Data(pos=torch.ones(1, 3))).pos.abs()
        tensor([[1., 1., 1.]])
    """

    def __init__(self, axes: str = "xyz", generator: Generator | None = None) -> None:
        if not axes or len(set(axes)) < len(axes) or not set(axes) <= set(AXES):
            raise ValueError(f"RandomMirror: expected some of {', '.join(AXES)}, each once, got {axes!r}")
        self.axes, self.generator = axes, generator
        self._may_change = [float(axis in axes) for axis in AXES]

    def forward(self, data: Data) -> Data:
        if data.pos.size(1) != 3:
            raise ValueError(f"RandomMirror: expected pos [N, 3], got {list(data.pos.shape)}")
        check_one_device("RandomMirror", pos=data.pos, normal=data.get("normal"))
        drawn = uniform(-1.0, 1.0, data.pos, 3, self.generator)
        sign = 1 - 2 * (drawn < 0).to(data.pos.dtype) * data.pos.new_tensor(self._may_change)
        data.pos = data.pos * sign
        if data.get("normal") is not None:
            data.normal = data.normal * sign.to(data.normal.dtype)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.axes!r})"
