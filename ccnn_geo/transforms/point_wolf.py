"""Augmentation: smoothly bent and swollen clouds."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.neighbors.farthest import farthest_points
from ccnn_geo.transforms._points import at_least_one, uniform


class PointWOLF(BaseTransform):
    r"""Deforms a cloud by several local transformations, blended smoothly (Kim et al., 2021, *PointWOLF*).

    Around each of several distant anchors :math:`a_j`, space is rotated, scaled and shifted by
    :math:`T_j(p) = R_j S_j (p - a_j) + a_j + t_j`. A point follows all anchors, weighted by its distances:

    .. math::
        p \leftarrow \frac{\sum_j w_j(p) \, T_j(p)}{\sum_j w_j(p)}, \qquad
        w_j(p) = \exp\Big(-\frac{\lVert \Pi_j (p - a_j) \rVert^2}{2 \, \mathrm{bandwidth}^2}\Big)

    with :math:`\Pi_j` the projection onto one, two or three of the axes. Rotation, scaling and shift are each off
    with probability 1/2 per anchor; scaling and shift act on one, two or three of the axes. Normals become
    :math:`n \leftarrow J^{-\top} n`, scaled to unit length, with the Jacobian :math:`J` of the deformation at the
    point. That keeps them orthogonal to the deformed surface.

    Use it on clouds on the unit sphere, followed by :class:`~ccnn_geo.transforms.NormalizeSphere` as in the paper.
    AugTune, which adapts the strength to the network's confidence, is not included.

    Args:
        num_anchors: Number of local transformations.
        bandwidth: Reach of an anchor, in units of ``pos``.
        degrees: Angles about each axis are uniform on [-degrees, degrees].
        scale: Factors are uniform on [1, scale].
        shift: Largest shift along an axis, in units of ``pos``.
        generator: Source of randomness (default: torch's global one).

    Shapes:
        ``pos [N, 3]``, ``normal [N, 3]`` (if present), unchanged in shape.

    Raises:
        ValueError: If an argument is out of range, or points are not three-dimensional.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = PointWOLF()(Data(pos=torch.rand(100, 3)))
        >>> data.pos.shape
        torch.Size([100, 3])
    """

    def __init__(
        self,
        num_anchors: int = 4,
        bandwidth: float = 0.5,
        degrees: float = 10.0,
        scale: float = 3.0,
        shift: float = 0.25,
        generator: Generator | None = None,
    ) -> None:
        if bandwidth <= 0 or degrees < 0 or scale < 1 or shift < 0:
            raise ValueError(
                "expected bandwidth > 0, degrees >= 0, scale >= 1 and shift >= 0, got "
                f"{bandwidth}, {degrees}, {scale} and {shift}"
            )
        self.num_anchors = at_least_one(num_anchors)
        self.bandwidth, self.degrees = float(bandwidth), float(degrees)
        self.scale, self.shift = float(scale), float(shift)
        self.generator = generator

    def forward(self, data: Data) -> Data:
        pos = data.pos
        if pos.dim() != 2 or pos.size(1) != 3:
            raise ValueError(f"PointWOLF needs pos [N, 3], got {list(pos.shape)}")
        check_one_device("PointWOLF", pos=pos, normal=data.get("normal"))
        if len(pos) == 0:
            return data
        anchors, linear, move, axes = self._draw(pos)
        offset = pos[None] - anchors[:, None]  # [M, N, 3]
        pull = -(offset * axes[:, None]) / self.bandwidth**2  # gradient of log w_j
        share = (pull * offset).sum(-1).div(2).softmax(dim=0)[..., None]  # w_j divided by their sum
        moved = offset @ linear.mT + (anchors + move)[:, None]
        data.pos = (share * moved).sum(0)
        if data.get("normal") is not None:
            # J = sum_j share_j (A_j + T_j (grad log w_j - mean of these)^T)
            change = pull - (share * pull).sum(0)
            jacobian = torch.einsum("mni,mnj->nij", share * moved, change)
            jacobian = jacobian + torch.einsum("mn,mij->nij", share[..., 0], linear)
            data.normal = transform_normals(data.normal, jacobian.to(data.normal.dtype))
        return data

    def _draw(self, pos: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Anchors ``[M, 3]``, matrices ``[M, 3, 3]``, shifts ``[M, 3]`` and axes of the weights ``[M, 3]``."""
        first = int(torch.randint(len(pos), (), generator=self.generator, device=pos.device))
        anchors = pos[farthest_points(pos, min(self.num_anchors, len(pos)), first)]
        num = len(anchors)

        def draw(low: float, high: float, columns: int) -> Tensor:
            return uniform(low, high, pos, num * columns, self.generator).view(num, columns)

        def some_axes() -> Tensor:  # one of the seven choices of at least one axis
            choice = draw(1, 8, 1).long().clamp(max=7)
            return (choice.bitwise_and(torch.tensor([1, 2, 4], device=pos.device)) > 0).to(pos.dtype)

        on = (draw(0, 1, 3) < 0.5).to(pos.dtype)
        limit = math.radians(self.degrees)
        rotation = _rotations(draw(-limit, limit, 3) * on[:, :1])
        factor = 1 + (draw(1, self.scale, 3) - 1) * some_axes() * on[:, 1:2]
        move = draw(-self.shift, self.shift, 3) * some_axes() * on[:, 2:]
        return anchors, rotation * factor[:, None], move, some_axes()

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.num_anchors}, bandwidth={self.bandwidth:g}, degrees={self.degrees:g}, "
            f"scale={self.scale:g}, shift={self.shift:g})"
        )


def transform_normals(normal: Tensor, jacobian: Tensor) -> Tensor:
    r"""Normals of a deformed surface, :math:`J^{-\top} n / \lVert J^{-\top} n \rVert`.

    Uses cross products of the columns of :math:`J`, :math:`\det(J) \, J^{-\top} = [J_2 \times J_3, \, J_3 \times J_1,
    \, J_1 \times J_2]`, so nothing is divided by a small determinant where the deformation nearly folds.

    Shapes:
        ``normal [N, 3]``, ``jacobian [N, 3, 3]`` (of the deformation at each point) -> ``[N, 3]``.
    """
    a, b, c = jacobian.unbind(dim=-1)
    cofactors = torch.stack(
        [torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=-1
    )
    flipped = (a * cofactors[..., 0]).sum(-1, keepdim=True) < 0  # det(J)
    turned = (cofactors @ normal[..., None])[..., 0]
    return normalize(torch.where(flipped, -turned, turned), dim=-1)


def _rotations(angle: Tensor) -> Tensor:
    """Right-handed rotations about x, then y, then z, ``[M, 3] -> [M, 3, 3]``."""
    (cx, cy, cz), (sx, sy, sz) = angle.cos().unbind(1), angle.sin().unbind(1)
    rows = [
        *(cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz),
        *(cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz),
        *(-sy, sx * cy, cx * cy),
    ]
    return torch.stack(rows, dim=1).view(-1, 3, 3)
