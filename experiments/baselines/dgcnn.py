"""DGCNN: convolutions on the graph of nearest features, which each layer finds again."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ccnn_geo._base.pyg import Data
from ccnn_geo.experiments.baselines.clouds import (
    SharedMLP,
    adjacency,
    classifier_head,
    equal_clouds,
    nearest,
    rows_of,
)
from ccnn_geo.nn.norm.batch import BatchNorm

SLOPE = 0.2
"""Slope of all leaky ReLU."""


class EdgeConv(nn.Module):
    r"""Edge convolution of one linear layer and batch normalisation over all edges.

    .. math::
        y_i = \max_{j \in \mathcal N(i)} \mathrm{lrelu}\big(\mathrm{norm}(W_1 (x_j - x_i) + W_2 x_i)\big)

    An edge is :math:`z_{ij} = a_i + b_j` with :math:`a = (W_2 - W_1) x`, :math:`b = W_1 x`. Normalisation and leaky
    ReLU are monotone in each channel, so the maximum is taken over :math:`b_j` (the minimum, if the norm's weight is
    negative). Mean and variance over all edges come from sums over neighbours, so training needs no tensor of edges.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.

    Shapes:
        - **x:** :math:`(B, N, C)`; **index:** :math:`(B, N, k)`, neighbours; **output:** :math:`(B, N, C')`

    Source: Wang et al., 2019, DGCNN, Eq. 7 and 8.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * in_channels, out_channels, bias=False)
        self.norm = BatchNorm(out_channels)

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        neighbor, own = self.linear.weight.chunk(2, dim=1)
        a, b = x @ (own - neighbor).mT, x @ neighbor.mT
        mean, variance = self._statistics(a, b, index) if self.norm.training else self._running()
        scale = self.norm.weight * (variance + self.norm.eps).rsqrt()
        b = b * scale  # a maximum over neighbours, whatever the sign of the scale
        return F.leaky_relu((a - mean) * scale + self.norm.bias + neighbor_max(b, index), SLOPE)

    def _running(self) -> tuple[Tensor, Tensor]:
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None and variance is not None, "statistics are tracked"
        return mean, variance

    def _statistics(self, a: Tensor, b: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of all edges; updates the norm's running statistics."""
        edges = adjacency(b, index)
        count = index.numel()
        degree = edges.sum(1).unsqueeze(-1)
        mean_a, mean_b = a.mean((0, 1)), (degree * b).sum((0, 1)) / count
        a, b = a - mean_a, b - mean_b
        square = index.size(2) * (a * a).sum((0, 1)) + (degree * b * b).sum((0, 1))
        variance = ((square + 2 * (a * (edges @ b)).sum((0, 1))) / count).clamp_min(0)
        mean = mean_a + mean_b
        self.norm.remember(mean, variance * (count / max(1, count - 1)))
        return mean, variance


def neighbor_max(x: Tensor, index: Tensor) -> Tensor:
    """Largest value of each channel among the neighbours: ``x [B, N, C]``, ``index [B, M, k]`` to ``[B, M, C]``."""
    with torch.no_grad():
        winner = index.gather(2, rows_of(x, index).max(2).indices)
    return x.gather(1, winner)


class DGCNN(nn.Module):
    r"""Dynamic graph CNN for classification: four :class:`EdgeConv`, an embedding of their outputs, two pools, a head.

    .. math::
        h_l = \mathrm{EdgeConv}_l(h_{l-1}), \quad e_i = \mathrm{mlp}(h_{1i}, \dots, h_{4i}), \quad
        y = \mathrm{MLP}(\max_i e_i, \mathrm{mean}_i e_i)

    Args:
        in_channels: Features of a point beside its position: 0, or 3 with normals.
        num_classes: Number of classes.
        k: Neighbours of a point, including itself; in the first layer by position.
        embedding: Width of :math:`e`.
        dropout: Dropout in both hidden layers of the head.

    Shapes:
        - **data:** ``x`` :math:`(B N, C)`, ``pos`` :math:`(B N, 3)`, ``batch``; **output:** :math:`(B, K)`

    Raises:
        ValueError: If a cloud has no points, or the points have another number of channels.

    Source: Wang et al., 2019, `"Dynamic Graph CNN for Learning on Point Clouds" <https://arxiv.org/abs/1801.07829>`_,
    Fig. 3 and Sec. 4; layers and widths of the authors' PyTorch implementation, 1,809,576 parameters for positions and
    40 classes, the published 1.8 million.
    """

    def __init__(
        self, in_channels: int, num_classes: int, k: int = 20, embedding: int = 1024, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.in_channels, self.k = in_channels, k
        widths = (3 + in_channels, 64, 64, 128, 256)
        self.convs = nn.ModuleList(map(EdgeConv, widths[:-1], widths[1:]))
        leaky = partial(nn.LeakyReLU, SLOPE)
        self.embed = SharedMLP(sum(widths[1:]), embedding, bias=False, activation=leaky)
        # in the reference implementation only the second layer has a bias
        first = classifier_head((2 * embedding, 512), 256, (dropout,), bias=False, activation=leaky)
        norm = (nn.BatchNorm1d(256), leaky(inplace=True), nn.Dropout(dropout))
        self.head = nn.Sequential(*first, *norm, nn.Linear(256, num_classes))

    def forward(self, data: Data) -> Tensor:
        pos, x = equal_clouds(data, "DGCNN", self.in_channels)
        found, h, seen = [], torch.cat([pos, x], dim=-1), pos
        for conv in self.convs:
            _, index = nearest(seen, seen, self.k)
            h = seen = conv(h, index)
            found.append(h)
        e = self.embed(torch.cat(found, dim=-1))
        return self.head(torch.cat([e.amax(1), e.mean(1)], dim=-1))
