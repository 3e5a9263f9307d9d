"""DGCNN for segmentation: a class per point, from its neighbourhoods and the whole cloud."""

from __future__ import annotations

from functools import partial
from typing import Any

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
from ccnn_geo.experiments.baselines.dgcnn import SLOPE

_LAYER: dict[str, Any] = {"bias": False, "activation": partial(nn.LeakyReLU, SLOPE)}


class DeepEdgeConv(nn.Module):
    r"""Edge convolution of several layers.

    .. math::
        y_i = \max_{j \in \mathcal N(i)} \mathrm{mlp}(x_j - x_i, x_i)

    Args:
        widths: Widths of the input and of the layers.

    Shapes:
        - **x:** :math:`(B, N, C)`; **index:** :math:`(B, N, k)`, neighbours; **output:** :math:`(B, N, C')`

    Source: Wang et al., 2019, DGCNN, Eq. 7.
    """

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.mlp = SharedMLP(2 * widths[0], *widths[1:], **_LAYER)

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        return self.mlp(edges_of(x, index)).amax(2)


def edges_of(x: Tensor, index: Tensor) -> Tensor:
    """``(x_j - x_i, x_i)`` of the neighbours of each point, ``[B, N, k, 2 C]``."""
    own = x.unsqueeze(2).expand(*index.shape, -1)
    return torch.cat([rows_of(x, index) - own, own], dim=-1)


class EdgeTransform(nn.Module):
    """Computes a matrix ``[B, 3, 3]`` for a cloud from its edges of positions, the identity before training."""

    def __init__(self) -> None:
        super().__init__()
        self.edge = DeepEdgeConv(3, 64, 128)
        self.point = SharedMLP(128, 1024, **_LAYER)
        self.cloud = SharedMLP(1024, 512, 256, **_LAYER)
        self.matrix = nn.Linear(256, 9)
        nn.init.zeros_(self.matrix.weight)
        with torch.no_grad():
            self.matrix.bias.copy_(torch.eye(3).flatten())

    def forward(self, pos: Tensor, index: Tensor) -> Tensor:
        found = self.cloud(self.point(self.edge(pos, index)).amax(1))
        return self.matrix(found).unflatten(-1, (3, 3))


class DGCNNParts(nn.Module):
    r"""Dynamic graph CNN for part segmentation.

    .. math::
        h_l = \mathrm{EdgeConv}_l(h_{l-1}), \quad g = \max_i \mathrm{mlp}(h_{1i}, h_{2i}, h_{3i}), \quad
        y_i = \mathrm{MLP}(g, h_{1i}, h_{2i}, h_{3i})

    Args:
        in_channels: Features of a point beside its position: 0, or 3 with normals.
        num_classes: Number of classes.
        k: Neighbours of a point, including itself; in the first layer by position. The published 40 are for 2,048
            points.
        dropout: Dropout in the first two hidden layers of the head.

    Shapes:
        - **data:** ``x`` :math:`(M, C)`, ``pos`` :math:`(M, 3)`, ``batch``; **output:** :math:`(M, K)`

    Raises:
        ValueError: If a cloud has no points, or the points have another number of channels.

    Source: Wang et al., 2019, `"Dynamic Graph CNN for Learning on Point Clouds" <https://arxiv.org/abs/1801.07829>`_,
    Fig. 3; layers and widths of the authors' PyTorch implementation, except for the category of a shape, which is no
    input here: evaluation leaves out the classes of other categories, for all networks alike.
    """

    def __init__(self, in_channels: int, num_classes: int, k: int = 20, dropout: float = 0.5) -> None:
        super().__init__()
        self.in_channels, self.k = in_channels, k
        self.transform = EdgeTransform()
        self.convs = nn.ModuleList(
            (DeepEdgeConv(3 + in_channels, 64, 64), DeepEdgeConv(64, 64, 64), DeepEdgeConv(64, 64))
        )
        self.embed = SharedMLP(192, 1024, **_LAYER)
        first = classifier_head((1024 + 192, 256, 256), 128, (dropout, dropout), **_LAYER)
        first[-1] = SharedMLP(256, 128, **_LAYER)
        self.head = nn.Sequential(*first.children(), nn.Linear(128, num_classes, bias=False))

    def forward(self, data: Data) -> Tensor:
        pos, x = equal_clouds(data, "DGCNNParts", self.in_channels)
        pos = pos @ self.transform(pos, nearest(pos, pos, self.k)[1])
        found, h, seen = [], torch.cat([pos, x], dim=-1), pos
        for conv in self.convs:
            h = seen = conv(h, nearest(seen, seen, self.k)[1])
            found.append(h)
        local = torch.cat(found, dim=-1)
        whole = self.embed(local).amax(1, keepdim=True).expand(-1, local.size(1), -1)
        out = self.head(torch.cat([whole, local], dim=-1).flatten(0, 1))
        return own_rows(data, out.unflatten(0, local.shape[:2]))
