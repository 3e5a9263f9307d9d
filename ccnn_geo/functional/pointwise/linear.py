"""A linear layer on the channels of points and grids, on points by the faster of two libraries in all products."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ccnn_geo.functional.pointwise.grid_linear import grid_linear, linear_operator
from ccnn_geo.kernels.math.linear import cross, linear
from ccnn_geo.kernels.math.low_precision import as_autocast


def channel_linear(x: Tensor, layer: nn.Linear, shift: Tensor | None = None) -> Tensor:
    """A linear layer on the channels of points ``[N, C]`` or of grids ``[B, C, *S]``; ``shift [C]`` is added first."""
    bias = layer.bias if shift is None else torch.addmv(layer.bias, layer.weight, shift)
    if x.dim() == 2:
        return point_linear(x, layer.weight, bias)
    y = grid_linear(x.flatten(2), layer.weight, bias)  # in reduced precision under autocast, as for points
    return y.unflatten(2, x.shape[2:])


def point_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""Applies :math:`y_{no} = \sum_c W_{oc} x_{nc} + \beta_o` at all points.

    On the CPU it is the operator ``ccnn_geo::point_linear``.

    Shapes:
        - **x:** :math:`(N, C)`; **weight:** :math:`(O, C)`; **bias:** :math:`(O)`
        - **output:** :math:`(N, O)`
    """
    if x.device.type != "cpu":
        return F.linear(x, weight, bias)
    if torch.is_autocast_enabled("cpu"):
        x, weight, bias = as_autocast(x, weight, bias)
    return _LINEAR(x, weight, bias)


def _gradients(grad: Tensor, x: Tensor, weight: Tensor, need: Sequence[bool]) -> list[Tensor]:
    found = [linear(grad, weight.mT.contiguous())] if need[0] else []
    if need[1]:
        found.append(cross(grad.mT, x).contiguous())
    if need[2]:
        found.append(grad.sum(dim=0))
    return found


def _shape(x: Tensor, weight: Tensor) -> tuple[int, ...]:
    return x.size(0), weight.size(0)


_LINEAR = linear_operator("point_linear", F.linear, linear, _gradients, _shape)
