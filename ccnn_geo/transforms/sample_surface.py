"""Points on the surface of a mesh."""

import torch
from torch import Generator, Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import BaseTransform, Data


class SampleSurface(BaseTransform):
    r"""Draws points uniformly from the surface of a mesh, with the normals of their faces.

    A face is chosen with a probability proportional to its area, and a point in it as
    :math:`a + u (b - a) + v (c - a)` with :math:`(u, v)` uniform on the unit triangle.

    Args:
        num: points to draw.
        generator: source of randomness (default: torch's global one).

    Shapes:
        ``pos [V, 3]``, ``face [3, F]`` -> ``pos [num, 3]``, ``normal [num, 3]`` of unit length; ``face`` is
        removed. Draws are independent, so the first n points are a uniform sample too. Labels of faces
        ``part [F]`` become labels of points, ``part [num]``.

    Raises:
        ValueError: without ``face``, or if no face has an area, or the area is not finite.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = SampleSurface(50)(Data(pos=torch.eye(3), face=torch.tensor([[0], [1], [2]])))
        >>> data.pos.sum(dim=1).allclose(torch.ones(50))
        True
    """

    def __init__(self, num: int, generator: Generator | None = None) -> None:
        if num < 1:
            raise ValueError(f"num must be at least 1, got {num}")
        self.num = num
        self.generator = generator

    def forward(self, data: Data) -> Data:
        pos, face = data.pos, data.face
        if face is None or face.numel() == 0:
            raise ValueError(f"SampleSurface needs a mesh, data.pos and data.face [3, F], got {data}")
        check_one_device("SampleSurface", pos=pos, face=face)
        # float64: map coordinates reach millions of metres, triangles measure centimetres
        corner = pos.double()[face]
        edge_u, edge_v = corner[1] - corner[0], corner[2] - corner[0]
        cross = torch.linalg.cross(edge_u, edge_v)
        area = cross.norm(dim=1)
        total = _running_sum(area)
        if total[-1] == 0:
            raise ValueError(f"the mesh has no surface: all {face.size(1)} faces have zero area")
        if not torch.isfinite(total[-1]):
            raise ValueError(
                f"the mesh is too large: its area is {total[-1]:g} with coordinates up to {pos.abs().max():g}, "
                f"expected a finite one"
            )
        # not torch.multinomial, which is limited to 2^24 faces
        draw = torch.rand(self.num, 3, generator=self.generator, dtype=torch.float64, device=pos.device)
        chosen = torch.searchsorted(total, draw[:, 0] * total[-1], right=True)
        chosen = chosen.clamp(max=int(area.nonzero()[-1]))
        uv = draw[:, 1:]
        uv = torch.where(uv.sum(1, keepdim=True) > 1, 1 - uv, uv)
        points = corner[0, chosen] + uv[:, :1] * edge_u[chosen] + uv[:, 1:] * edge_v[chosen]
        data.pos = points.to(pos.dtype)
        data.normal = (cross[chosen] / area[chosen].unsqueeze(1)).to(pos.dtype)
        data.face = None
        if data.get("part") is not None:
            data.part = data.part[chosen]
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num})"


def _running_sum(values: Tensor) -> Tensor:
    """Cumulative sums ``[N]``; deterministic ones on CUDA run on the host, because torch has none."""
    if values.device.type == "cuda" and torch.are_deterministic_algorithms_enabled():
        return values.cpu().cumsum(0).to(values.device)
    return values.cumsum(0)
