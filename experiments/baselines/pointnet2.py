"""PointNet++ with single-scale grouping: small PointNets around farthest points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ccnn_geo._base.pyg import Data
from ccnn_geo.experiments.baselines.clouds import (
    SharedMLP,
    ball,
    classifier_head,
    equal_clouds,
    local_mlp,
    rows_of,
    spread_points,
)


class SetAbstraction(nn.Module):
    r"""Applies a PointNet to the ball around each of some farthest points.

    .. math::
        h_c = \max_{j : |p_j - p_c| \le r} \mathrm{mlp}(p_j - p_c, x_j)

    Args:
        in_channels: Features of a point.
        widths: Widths of the layers.
        radius: :math:`r`.
        neighbors: Most points in a ball, the nearest; the nearest one fills empty places.

    Shapes:
        - **pos:** :math:`(B, N, 3)`; **x:** :math:`(B, N, C)`
        - **output:** centres :math:`(B, M, 3)` and :math:`h` :math:`(B, M, C')`
    """

    def __init__(self, in_channels: int, widths: Sequence[int], radius: float, neighbors: int) -> None:
        super().__init__()
        self.radius, self.neighbors = radius, neighbors
        self.mlp = SharedMLP(3 + in_channels, *widths)

    def forward(self, pos: Tensor, x: Tensor, count: int) -> tuple[Tensor, Tensor]:
        centers = rows_of(pos, spread_points(pos, count))
        index = ball(pos, centers, self.radius, self.neighbors)
        return centers, local_mlp(self.mlp, pos, x, centers, index).max(2).values


class PointNet2(nn.Module):
    r"""PointNet++ (SSG) for classification: two set abstractions, a PointNet on the remaining points, and a head.

    Args:
        in_channels: Features of a point beside its position: 0, or 3 with normals.
        num_classes: Number of classes.
        radii: Radii of the balls. The published ones, 0.2 and 0.4, are for 1,024 points on the unit sphere; for N
            points :math:`\sqrt{1024 / N}` times the radius holds the same number.
        neighbors: Most points in a ball.
        reduction: Points per centre, and of the input; 1,024 points have 512 and 128 centres.
        dropout: Dropout in both hidden layers of the head.

    Shapes:
        - **data:** ``x`` :math:`(B N, C)`, ``pos`` :math:`(B N, 3)`, ``batch``; **output:** :math:`(B, K)`

    Raises:
        ValueError: If a cloud has no points, or the points have another number of channels.

    Source: Qi et al., 2017, `"PointNet++: Deep Hierarchical Feature Learning on Point Sets in a Metric Space"
    <https://arxiv.org/abs/1706.02413>`_, appendix B. With normals and 40 classes 1,475,880 parameters, as published
    (1.48 million). Centres are a half and an eighth of the points, whatever their number; a ball takes its nearest
    points, not the first in the file.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        radii: Sequence[float] = (0.2, 0.4),
        neighbors: Sequence[int] = (32, 64),
        reduction: Sequence[int] = (2, 8),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.in_channels, self.reduction = in_channels, tuple(reduction)
        self.near = SetAbstraction(in_channels, (64, 64, 128), radii[0], neighbors[0])
        self.far = SetAbstraction(128, (128, 128, 256), radii[1], neighbors[1])
        self.all = SharedMLP(3 + 256, 256, 512, 1024)
        self.head = classifier_head((1024, 512, 256), num_classes, (dropout, dropout))

    def forward(self, data: Data) -> Tensor:
        pos, x = equal_clouds(data, "PointNet2", self.in_channels)
        near, far = (max(1, pos.size(1) // factor) for factor in self.reduction)
        pos, x = self.near(pos, x, near)
        pos, x = self.far(pos, x, far)
        return self.head(self.all(torch.cat([pos, x], dim=-1)).amax(1))
