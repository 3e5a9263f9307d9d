"""Augmentation: scaled and shifted clouds."""

from torch import Generator
from torch.nn.functional import normalize

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms._points import uniform


class RandomScaleShift(BaseTransform):
    r"""Scales every axis by its own random factor and shifts the cloud by a random vector.

    :math:`p \leftarrow s \odot p + t` and :math:`n \leftarrow (n / s) / \lVert n / s \rVert`, which keeps
    normals orthogonal to the scaled surface.

    Args:
        scale: range of the factors.
        shift: largest shift along an axis, in units of ``pos``.
        generator: source of randomness (default: torch's global one).

    Shapes:
        ``pos [N, D]``, ``normal [N, D]`` (if present), unchanged in shape.

    Raises:
        ValueError: unless 0 < scale[0] <= scale[1] and shift >= 0.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = RandomScaleShift(shift=0.0)(Data(pos=torch.rand(100, 3)))
        >>> bool((data.pos < 1.51).all())
        True
    """

    def __init__(
        self,
        scale: tuple[float, float] = (2 / 3, 3 / 2),
        shift: float = 0.2,
        generator: Generator | None = None,
    ) -> None:
        if not 0 < scale[0] <= scale[1] or shift < 0:
            raise ValueError(f"expected 0 < low <= high and shift >= 0, got scale {scale} and shift {shift}")
        self.scale = (float(scale[0]), float(scale[1]))
        self.shift = float(shift)
        self.generator = generator

    def forward(self, data: Data) -> Data:
        check_one_device("RandomScaleShift", pos=data.pos, normal=data.get("normal"))
        dim = data.pos.size(1)
        factor = uniform(*self.scale, data.pos, dim, self.generator)
        move = uniform(-self.shift, self.shift, data.pos, dim, self.generator)
        data.pos = data.pos * factor + move
        if data.get("normal") is not None:
            data.normal = normalize(data.normal / factor.to(data.normal.dtype), dim=1)
        return data

    def __repr__(self) -> str:
        low, high = self.scale
        return f"{type(self).__name__}(scale=({low:.3g}, {high:.3g}), shift={self.shift:g})"
