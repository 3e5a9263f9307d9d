"""Rotates shapes from the up axis of a file to the up axis of training."""

from torch import Tensor

from ccnn_geo._base.pyg import BaseTransform, Data

AXES = "xyz"


class TurnUp(BaseTransform):
    r"""Rotates shapes by a right angle so that one axis becomes another, because files do not say which axis is up.

    Axis :math:`a` becomes :math:`b`: :math:`e_a \mapsto e_b,\ e_b \mapsto -e_a`, for z to y
    :math:`(x, y, z) \mapsto (x, z, -y)`. Equal axes change nothing.

    Args:
        source: The axis that points up, ``x``, ``y`` or ``z``.
        target: The axis that it becomes.

    Shapes:
        ``pos [N, 3]``, optional ``normal [N, 3]``, ``solid [M, 3]`` and ``cell [1, 3]`` of a grid, unchanged in shape.

    Raises:
        ValueError: If an axis is not x, y or z, or positions are not three-dimensional.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> TurnUp("z", "y")(Data(pos=torch.tensor([[1.0, 2.0, 3.0]]))).pos
        tensor([[ 1.,  3., -2.]])
    """

    def __init__(self, source: str, target: str) -> None:
        for axis in (source, target):
            if axis not in tuple(AXES):
                raise ValueError(f"TurnUp: expected axes of x, y and z, got {axis!r}")
        self.source, self.target = source, target

    def forward(self, data: Data) -> Data:
        if data.pos.size(1) != 3:
            raise ValueError(f"TurnUp: expected pos [N, 3], got {list(data.pos.shape)}")
        for key in ("pos", "normal", "solid"):
            if data.get(key) is not None:
                data[key] = self.turned(data[key])
        if data.get("cell") is not None:
            data.cell = self.turned(data.cell).abs()
        return data

    def turned(self, vectors: Tensor) -> Tensor:
        """Rotates vectors ``[N, 3]``."""
        a, b = AXES.index(self.source), AXES.index(self.target)
        found = vectors.clone()
        if a != b:
            found[:, a], found[:, b] = -vectors[:, b], vectors[:, a]
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r}, {self.target!r})"
