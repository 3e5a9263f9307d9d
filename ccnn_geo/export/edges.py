"""Edges of clouds of equal size, and a convolution over those of them that lie in its kernel's support."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ccnn_geo.neighbors.exact import squared_distances
from ccnn_geo.nn.conv.layers import SepFlexConv


class DenseEdges(NamedTuple):
    """Neighbours of all points of a batch of clouds, ``k`` each: ``M`` targets, side by side."""

    source: Tensor
    """Which points they are, ``[M, k]``."""
    rel: Tensor
    """Relative positions, target minus source, ``[M, k, D]``."""
    valid: Tensor
    """Which of them there are, ``[M, k]``."""


class EdgeSum(nn.Module):
    r"""A convolution over :class:`DenseEdges`, in the place of the layer it is made of.

    Only edges in the support of the layer's kernel are evaluated. Their sums are products of matrices, with as many
    rows as the target with most such edges has. Adding up at places that repeat would do with less, but onnxruntime
    1.32 does that wrong on several threads (``ScatterND``), or fifty times as slowly (``ScatterElements``).
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
        # the output layer comes last, for it is linear
        return self.conv.mix((moments * self.conv.kernel.output_weight().T).sum(dim=1))

    def _basis(self, rel: Tensor) -> Tensor:
        """What the kernel is a linear function of, ``[E, H + 1]``, by the formula."""
        kernel = self.conv.kernel
        scaled = kernel.scaled(rel)
        values = kernel.network.definition(scaled)
        if kernel.window is None:
            return torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        profile = kernel.window.profile(scaled).unsqueeze(1)
        return torch.cat([values * profile, profile], dim=1)


def _with_last_row(values: Tensor) -> Tensor:
    """A row of zeros behind ``[E, *]``: what places without an edge take."""
    return torch.cat([values, values.new_zeros(1, *values.shape[1:])])


def _places(count: Tensor, none: int) -> Tensor:
    """Which edges each target has, of edges in the order of their targets: ``[M, most]``, ``none`` where no more."""
    most = count.max().clamp(min=2).item()  # compilers ask whether a size is 1
    torch._check(most >= 2)
    slot = torch.arange(most, device=count.device)
    first = count.cumsum(0) - count
    return torch.where(slot < count.unsqueeze(1), first.unsqueeze(1) + slot, none)


def dense_neighbors(pos: Tensor, num: int, for_onnx: bool = False) -> tuple[Tensor, Tensor]:
    """The nearest points of each, itself included, ties by index: ``[B, N, k]``, and which of them there are."""
    points = pos.size(1)
    exact = pos.detach().double()
    d2 = squared_distances(exact.unsqueeze(2), exact.unsqueeze(1))
    none = d2.new_full((1,), torch.inf).expand(*d2.shape[:2], num)  # where there are fewer points
    d2 = torch.cat([d2, none], dim=2)
    if for_onnx:  # ONNX says that the first of equals is taken, torch does not
        index = torch.topk(d2, num, dim=2, largest=False).indices
    else:
        index = torch.sort(d2, dim=2, stable=True).indices[..., :num]
    return index.clamp(max=points - 1), index < points
