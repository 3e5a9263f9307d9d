"""PointMLP: residual layers per point, on neighbourhoods that are normalised together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ccnn_geo._base.pyg import Data
from ccnn_geo.experiments.baselines.clouds import (
    SharedMLP,
    adjacency,
    classifier_head,
    equal_clouds,
    farthest_first,
    nearest,
    rows_of,
)

EPSILON = 1e-5
"""Added to the standard deviation of neighbours."""


def spread(x: Tensor, index: Tensor) -> Tensor:
    r"""Root mean square difference of neighbours from their centre, over all channels of a cloud.

    .. math::
        \sigma = \sqrt{\frac{1}{M k C} \sum_{i \le M} \sum_{j \in \mathcal N(i)} \lVert x_j - x_i \rVert^2}

    From sums over neighbours, :math:`\lVert x_j \rVert^2 - 2 x_i x_j + \lVert x_i \rVert^2`: no tensor of edges.

    Shapes:
        - **x:** :math:`(B, N, C)`, centres first; **index:** :math:`(B, M, k)`; **output:** :math:`(B, 1, 1)`
    """
    x = x - x.mean(1, keepdim=True)
    centers, edges = x[:, : index.size(1)], adjacency(x, index)
    square = x.square().sum(-1, keepdim=True)
    total = (edges @ square - 2 * (centers * (edges @ x)).sum(-1, keepdim=True)).sum((1, 2), keepdim=True)
    total = total + index.size(2) * square[:, : index.size(1)].sum((1, 2), keepdim=True)
    # a root has no slope at zero, where all neighbours are equal
    return (total / (index[0].numel() * x.size(2))).clamp_min(EPSILON**2).sqrt()


class GeometricAffine(nn.Module):
    r"""A linear layer on normalised neighbours and their centre.

    .. math::
        z_{ij} = W \Big(\alpha \odot \frac{x_j - x_i}{\sigma + \epsilon} + \beta, \; x_i\Big)

    with :math:`\sigma` from :func:`spread`. It is :math:`a_j + b_i`, computed for each point, then gathered.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.

    Shapes:
        - **x:** :math:`(B, N, C)`, centres first; **index:** :math:`(B, M, k)`; **output:** :math:`(B, M, k, C')`

    Source: Ma et al., 2022, PointMLP, Sec. 3, geometric affine module.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(in_channels))
        self.beta = nn.Parameter(torch.zeros(in_channels))
        self.linear = nn.Linear(2 * in_channels, out_channels, bias=False)

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        near, own = self.linear.weight.chunk(2, dim=1)
        a = (x @ (self.alpha * near).mT) / (spread(x, index) + EPSILON)
        count = index.size(1)
        b = x[:, :count] @ own.mT + near @ self.beta - a[:, :count]
        return rows_of(a, index) + b.unsqueeze(2)


class ResidualMLP(nn.Module):
    r"""Two layers beside the identity.

    .. math::
        y = \mathrm{relu}\big(x + \mathrm{norm}(W_2 \, \mathrm{relu}(\mathrm{norm}(W_1 x)))\big)

    Args:
        channels: Channels of input and output.
        expansion: Hidden channels per channel.

    Shapes:
        - **input and output:** :math:`(*, C)`
    """

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        self.mlp = SharedMLP(channels, int(channels * expansion), channels, bias=False, final=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.mlp(x), inplace=True)


class Stage(nn.Module):
    r"""Halves the points; each keeps the maximum over its neighbours, with layers before and after it.

    .. math::
        y_i = \Phi_{pos}\Big(\max_{j \in \mathcal N(i)} \Phi_{pre}\big(\mathrm{relu}(\mathrm{norm}(z_{ij}))\big)\Big)

    with :math:`z` from :class:`GeometricAffine` and chains :math:`\Phi` of :class:`ResidualMLP`.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        k: Neighbours of a centre, including itself.
        blocks: Blocks in :math:`\Phi_{pre}`, and again in :math:`\Phi_{pos}`.
        expansion: Hidden channels of a block per channel.

    Shapes:
        - **pos:** :math:`(B, N, 3)`, centres first; **x:** :math:`(B, N, C)`
        - **output:** centres :math:`(B, M, 3)` and :math:`y` :math:`(B, M, C')`, :math:`M = \lfloor N / 2 \rfloor`
    """

    def __init__(self, in_channels: int, out_channels: int, k: int, blocks: int, expansion: float) -> None:
        super().__init__()
        self.k = k
        self.affine = GeometricAffine(in_channels, out_channels)
        self.norm = nn.BatchNorm1d(out_channels)
        self.pre, self.post = (
            nn.Sequential(*(ResidualMLP(out_channels, expansion) for _ in range(blocks))) for _ in range(2)
        )

    def forward(self, pos: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        centers = pos[:, : max(1, pos.size(1) // 2)]
        _, index = nearest(pos, centers, self.k)
        edges = F.relu(self.norm(self.affine(x, index).flatten(0, 2)), inplace=True)
        return centers, self.post(self.pre(edges).unflatten(0, index.shape).max(2).values)


class PointMLP(nn.Module):
    r"""PointMLP for classification, by default the small one (elite): four :class:`Stage`, a maximum and a head.

    Args:
        in_channels: Features of a point beside its position: 0, or 3 with normals.
        num_classes: Number of classes.
        embedding: Channels before the first stage.
        widening: Output channels per input channel of each stage.
        blocks: Blocks of each stage, before the maximum and again after it.
        expansion: Hidden channels of a block per channel; 1 in the large network.
        k: Neighbours.
        dropout: Dropout in both hidden layers of the head.

    Shapes:
        - **data:** ``x`` :math:`(B N, C)`, ``pos`` :math:`(B N, 3)`, ``batch``; **output:** :math:`(B, K)`

    Raises:
        ValueError: If a cloud has no points, or the points have another number of channels.

    Source: Ma et al., 2022, `"Rethinking Network Design and Local Geometry in Point Cloud: A Simple Residual MLP
    Framework" <https://arxiv.org/abs/2202.07123>`_, Sec. 3 and Table 2. For positions and 40 classes it has 716,232
    parameters, the published 0.68 million in units of :math:`2^{20}`; with ``embedding=64``, ``expansion=1`` and four
    times 2 as ``widening`` and as ``blocks`` it has 13,238,504, the published 12.6. The authors' implementation
    subtracts the mean of the differences before :math:`\sigma`. The first centre is the farthest from the mean, not the
    first in the file.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        embedding: int = 32,
        widening: Sequence[int] = (2, 2, 2, 1),
        blocks: Sequence[int] = (1, 1, 2, 1),
        expansion: float = 0.25,
        k: int = 24,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.embed = SharedMLP(3 + in_channels, embedding, bias=False)
        self.stages = nn.ModuleList()
        width = embedding
        for factor, count in zip(widening, blocks, strict=True):
            self.stages.append(Stage(width, factor * width, k, count, expansion))
            width *= factor
        self.head = classifier_head((width, 512, 256), num_classes, (dropout, dropout))

    def forward(self, data: Data) -> Tensor:
        pos, x = farthest_first(*equal_clouds(data, "PointMLP", self.in_channels))
        h = self.embed(torch.cat([pos, x], dim=-1))
        for stage in self.stages:
            pos, h = stage(pos, h)
        return self.head(h.amax(1))
