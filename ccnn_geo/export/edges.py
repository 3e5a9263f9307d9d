"""Edges of clouds of equal size, and a convolution over the edges inside its kernel's support."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ccnn_geo.neighbors.exact import squared_distances
from ccnn_geo.nn.conv.layers import SepFlexConv


class DenseEdges(NamedTuple):
    """Neighbours of all points in a batch of clouds, ``k`` each, for ``M`` targets one after another."""

    source: Tensor
    """Indices of the neighbours, ``[M, k]``."""
    rel: Tensor
    """Relative positions, target minus source, ``[M, k, D]``."""
    valid: Tensor
    """Mask of the neighbours that exist, ``[M, k]``."""


class EdgeSum(nn.Module):
    r"""A convolution over :class:`DenseEdges` that replaces a layer.

    It only evaluates edges in the support of the layer's kernel. Their sums are matrix products, with as many rows as
    the largest number of such edges at a target. Scatter-adding would need less, but onnxruntime 1.32 computes it
    wrongly with several threads (``ScatterND``), or fifty times as slowly (``ScatterElements``).
    """

    def __init__(self, conv: SepFlexConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor, edge_index: DenseEdges, weight: Tensor | None = None) -> Tensor:
        source, rel, valid = edge_index
        inside = self.conv.kernel.inside(rel) & valid
        edge = inside.flatten().nonzero().squeeze(1)
        basis = _with_last_row(self._basis(rel.flatten(0, 1)[edge]))
        source = _with_last_row(source.flatten()[edge])
        place = _places(inside.sum(dim=1), edge.size(0))
        x = x if weight is None else x * weight.unsqueeze(-1)
        moments = basis[place].transpose(1, 2) @ x[source[place]]  # [M, H + 1, C]
        # the output layer comes last, because it is linear
        return self.conv.mix((moments * self.conv.kernel.output_weight().T).sum(dim=1))

    def _basis(self, rel: Tensor) -> Tensor:
        """The basis of the kernel, linear in it, ``[E, H + 1]``, by the formula."""
        kernel = self.conv.kernel
        scaled = kernel.scaled(rel)
        values = kernel.network.definition(scaled)
        if kernel.window is None:
            return torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        profile = kernel.window.profile(scaled).unsqueeze(1)
        return torch.cat([values * profile, profile], dim=1)


def _with_last_row(values: Tensor) -> Tensor:
    """Appends a row of zeros to ``[E, *]``, for places without an edge."""
    return torch.cat([values, values.new_zeros(1, *values.shape[1:])])


def _places(count: Tensor, none: int) -> Tensor:
    """The edges of each target, from edges in the order of targets: ``[M, most]``, padded with ``none``."""
    most = count.max().clamp(min=2).item()  # compilers specialise on size 1
    torch._check(most >= 2)
    slot = torch.arange(most, device=count.device)
    first = count.cumsum(0) - count
    return torch.where(slot < count.unsqueeze(1), first.unsqueeze(1) + slot, none)


def dense_neighbors(pos: Tensor, num: int, for_onnx: bool = False) -> tuple[Tensor, Tensor]:
    """The nearest points of each point, including itself, ties by index: ``[B, N, k]``, and a mask of existing ones."""
    points = pos.size(1)
    exact = pos.detach().double()
    d2 = squared_distances(exact.unsqueeze(2), exact.unsqueeze(1))
    none = d2.new_full((1,), torch.inf).expand(*d2.shape[:2], num)  # for clouds with fewer points
    d2 = torch.cat([d2, none], dim=2)
    if for_onnx:  # ONNX guarantees the first of equals, torch does not
        index = torch.topk(d2, num, dim=2, largest=False).indices
    else:
        index = torch.sort(d2, dim=2, stable=True).indices[..., :num]
    return index.clamp(max=points - 1), index < points
