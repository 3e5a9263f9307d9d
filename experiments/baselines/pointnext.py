"""PointNeXt-S: PointNet++ with residual set abstractions and relative positions in units of the radius."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ccnn_geo._base.pyg import Data
from ccnn_geo.experiments.baselines.clouds import (
    SharedMLP,
    ball,
    classifier_head,
    equal_clouds,
    farthest_first,
    local_mlp,
)


class ResidualAbstraction(nn.Module):
    r"""Halves the points; each has a PointNet on the ball around it, and a linear layer in parallel.

    .. math::
        y_c = \mathrm{relu}\Big(V x_c + b +
        \max_{j : |p_j - p_c| \le r} \mathrm{mlp}\big(\tfrac{p_j - p_c}{r}, x_j\big)\Big)

    with two layers, the last one without nonlinearity.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        radius: :math:`r`.
        neighbors: Most points in a ball, the nearest; the nearest one fills empty places.

    Shapes:
        - **pos:** :math:`(B, N, 3)`, centres first; **x:** :math:`(B, N, C)`
        - **output:** centres :math:`(B, M, 3)` and :math:`y` :math:`(B, M, C')`, :math:`M = \lfloor N / 2 \rfloor`

    Source: Qian et al., 2022, PointNeXt, Sec. 3.2.
    """

    def __init__(self, in_channels: int, out_channels: int, radius: float, neighbors: int) -> None:
        super().__init__()
        self.radius, self.neighbors = radius, neighbors
        self.mlp = SharedMLP(3 + in_channels, out_channels // 2, out_channels, bias=False, final=False)
        self.skip = nn.Linear(in_channels, out_channels)

    def forward(self, pos: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        centers = pos[:, : max(1, pos.size(1) // 2)]
        index = ball(pos, centers, self.radius, self.neighbors)
        h = local_mlp(self.mlp, pos / self.radius, x, centers / self.radius, index)
        return centers, F.relu(h.max(2).values + self.skip(x[:, : centers.size(1)]), inplace=True)


class PointNeXt(nn.Module):
    r"""PointNeXt-S for classification: four :class:`ResidualAbstraction`, a PointNet on the rest, and a head.

    Args:
        in_channels: Features of a point beside its position: 0, or 3 with normals.
        num_classes: Number of classes.
        width: Channels before the first abstraction; each one doubles them.
        radius: Radius of the balls of the first abstraction. The published one is for 1,024 points on the unit sphere;
            for N points :math:`\sqrt{1024 / N}` times the radius holds the same number.
        scaling: Factor of the radius from one abstraction to the next.
        neighbors: Most points in a ball.
        dropout: Dropout in both hidden layers of the head.

    Shapes:
        - **data:** ``x`` :math:`(B N, C)`, ``pos`` :math:`(B N, 3)`, ``batch``; **output:** :math:`(B, K)`

    Raises:
        ValueError: If a cloud has no points, or the points have another number of channels.

    Source: Qian et al., 2022, `"PointNeXt: Revisiting PointNet++ with Improved Training and Scaling Strategies"
    <https://arxiv.org/abs/2206.04670>`_, Sec. 3.2; layers and radii of the authors' configurations. For positions,
    heights and 15 classes 1,367,119 parameters, for positions and 40 classes 1,373,512, or with ``width=64`` 4,523,112:
    the published 1.4 and 4.5 million. A ball takes its nearest points, not the first in the file, and the first
    centre is the farthest from the mean.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        width: int = 32,
        radius: float = 0.15,
        scaling: float = 1.5,
        neighbors: int = 32,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.embed = nn.Linear(3 + in_channels, width)
        self.abstractions = nn.ModuleList(
            ResidualAbstraction(width << i, width << (i + 1), radius * scaling**i, neighbors)
            for i in range(4)
        )
        last = width << 4
        self.all = SharedMLP(3 + last, last, last, bias=False)
        self.head = classifier_head((last, 512, 256), num_classes, (dropout, dropout), bias=False)

    def forward(self, data: Data) -> Tensor:
        pos, x = farthest_first(*equal_clouds(data, "PointNeXt", self.in_channels))
        h = self.embed(torch.cat([pos, x], dim=-1))
        for abstraction in self.abstractions:
            pos, h = abstraction(pos, h)
        return self.head(self.all(torch.cat([pos, h], dim=-1)).amax(1))
