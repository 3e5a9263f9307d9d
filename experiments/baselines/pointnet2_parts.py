"""PointNet++ for segmentation: features of fewer and fewer points, then interpolated back to all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ccnn_geo._base.pyg import Data
from ccnn_geo.experiments.baselines.clouds import (
    SharedMLP,
    classifier_head,
    equal_clouds,
    nearest,
    own_rows,
    rows_of,
)
from ccnn_geo.experiments.baselines.pointnet2 import SetAbstraction

NEAREST = 3
"""Number of points to interpolate features from."""


class FeaturePropagation(nn.Module):
    r"""Interpolates features of few points to many, and joins them with the features of the many.

    .. math::
        y_i = \mathrm{mlp}\Big(\frac{\sum_j w_{ij} f_j}{\sum_j w_{ij}}, x_i\Big), \quad w_{ij} = |p_i - p_j|^{-2}

    over the three nearest of the few.

    Args:
        widths: Widths of both features together, and of the layers.

    Shapes:
        - **pos:** :math:`(B, N, 3)`; **x:** :math:`(B, N, C)`; **few:** :math:`(B, M, 3)`; **f:** :math:`(B, M, C')`
        - **output:** :math:`(B, N, C'')`

    Source: Qi et al., 2017, PointNet++, Eq. 2.
    """

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.mlp = SharedMLP(*widths)

    def forward(self, pos: Tensor, x: Tensor, few: Tensor, f: Tensor) -> Tensor:
        return self.mlp(torch.cat([interpolated(pos, few, f), x], dim=-1))


def interpolated(pos: Tensor, few: Tensor, f: Tensor) -> Tensor:
    """Interpolates ``f [B, M, C]`` of ``few [B, M, 3]`` to ``pos [B, N, 3]``, as in :class:`FeaturePropagation`."""
    _, index = nearest(few, pos, NEAREST)
    square = (rows_of(few, index) - pos.unsqueeze(2)).square().sum(-1, keepdim=True)
    weight = 1 / (square + 1e-8)
    return (rows_of(f, index) * weight).sum(2) / weight.sum(2)


class PointNet2Parts(nn.Module):
    r"""PointNet++ (SSG) for part segmentation: two set abstractions, a PointNet, three propagations, and a head.

    Args:
        in_channels: Features of a point beside its position: 0, or 3 with normals.
        num_classes: Number of classes.
        radii: Radii of the balls; the published ones, 0.2 and 0.4, are for 2,048 points on the unit sphere.
        neighbors: Most points in a ball.
        centers: Points kept by the set abstractions; at most a half and an eighth of the points.
        dropout: Dropout in the hidden layer of the head.

    Shapes:
        - **data:** ``x`` :math:`(M, C)`, ``pos`` :math:`(M, 3)`, ``batch``; **output:** :math:`(M, K)`

    Raises:
        ValueError: If a cloud has no points, or the points have another number of channels.

    Source: Qi et al., 2017, `"PointNet++: Deep Hierarchical Feature Learning on Point Sets in a Metric Space"
    <https://arxiv.org/abs/1706.02413>`_, appendix B, except for the category of a shape, which is no input here:
    evaluation leaves out the classes of other categories, for all networks alike.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        radii: Sequence[float] = (0.2, 0.4),
        neighbors: Sequence[int] = (32, 64),
        centers: Sequence[int] = (512, 128),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.in_channels, self.centers = in_channels, tuple(centers)
        self.near = SetAbstraction(in_channels, (64, 64, 128), radii[0], neighbors[0])
        self.far = SetAbstraction(128, (128, 128, 256), radii[1], neighbors[1])
        self.all = SharedMLP(3 + 256, 256, 512, 1024)
        self.to_far = SharedMLP(1024 + 256, 256, 256)
        self.to_near = FeaturePropagation(256 + 128, 256, 128)
        self.to_points = FeaturePropagation(128 + 3 + in_channels, 128, 128, 128)
        self.head = classifier_head((128, 128), num_classes, (dropout,))

    def forward(self, data: Data) -> Tensor:
        pos, x = equal_clouds(data, "PointNet2Parts", self.in_channels)
        total = pos.size(1)
        counts = [max(1, min(n, total // part)) for n, part in zip(self.centers, (2, 8), strict=True)]
        near, near_x = self.near(pos, x, counts[0])
        far, far_x = self.far(near, near_x, counts[1])
        whole = self.all(torch.cat([far, far_x], dim=-1)).amax(1, keepdim=True)
        far_x = self.to_far(torch.cat([whole.expand(-1, counts[1], -1), far_x], dim=-1))
        near_x = self.to_near(near, near_x, far, far_x)
        found = self.to_points(pos, torch.cat([pos, x], dim=-1), near, near_x)
        return own_rows(data, self.head(found.flatten(0, 1)).unflatten(0, found.shape[:2]))
