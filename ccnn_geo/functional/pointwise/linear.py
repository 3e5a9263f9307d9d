"""A linear layer on the channels of points and grids, on points by the faster of two libraries in all products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ccnn_geo._base.native.build import on_host
from ccnn_geo.functional.pointwise.grid_linear import grid_linear
from ccnn_geo.kernels.math.linear import cross, linear
from ccnn_geo.kernels.math.low_precision import in_float32, outgrows_onednn, without_autocast


def channel_linear(x: Tensor, layer: nn.Linear, shift: Tensor | None = None) -> Tensor:
    """A linear layer on the channels of points ``[N, C]`` or of grids ``[B, C, *S]``; ``shift [C]`` is added first."""
    bias = layer.bias if shift is None else torch.addmv(layer.bias, layer.weight, shift)
    if x.dim() == 2:
        return point_linear(x, layer.weight, bias)
    y = grid_linear(x.flatten(2), layer.weight, bias)  # in reduced precision under autocast, as for points
    return y.unflatten(2, x.shape[2:])


def point_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""Applies :math:`y_{no} = \sum_c W_{oc} x_{nc} + \beta_o` at all points.

    Shapes:
        - **x:** :math:`(N, C)`; **weight:** :math:`(O, C)`; **bias:** :math:`(O)`
        - **output:** :math:`(N, O)`
    """
    if on_host(x, weight, bias):
        return _PointLinear.apply(x, weight, bias) if torch.is_grad_enabled() else linear(x, weight, bias)
    if outgrows_onednn(x, weight, bias):
        return in_float32(_PointLinear.apply, x, weight, bias)
    return F.linear(x, weight, bias)


class _PointLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        need = ctx.needs_input_grad
        if torch.is_grad_enabled():  # second derivatives
            products = (lambda: grad @ weight, lambda: grad.mT @ x)
        else:
            products = (lambda: linear(grad, weight.mT.contiguous()), lambda: cross(grad.mT, x))
        with without_autocast():
            grad_x, grad_weight = (f() if n else None for f, n in zip(products, need[:2], strict=True))
        return grad_x, grad_weight, grad.sum(dim=0) if need[2] else None
