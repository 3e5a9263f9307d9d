"""A linear layer on the channels of a grid, in memory that is used again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.native.build import native_function, on_host
from ccnn_geo._base.native.memory import empty
from ccnn_geo.functional.pointwise.grid_linear_compiled import native_linear, native_linear_backward
from ccnn_geo.kernels.math.low_precision import in_float32, outgrows_onednn, without_autocast


def grid_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""Applies :math:`y_{bo} = \sum_c W_{oc} x_{bc} + \beta_o` at all places of a grid.

    Shapes:
        - **x:** :math:`(B, C, L)`; **weight:** :math:`(O, C)`; **bias:** :math:`(O)`
        - **output:** :math:`(B, O, L)`
    """
    if on_host(x, weight, bias):
        return _GridLinear.apply(x, weight, bias)
    if outgrows_onednn(x, weight, bias):
        return in_float32(_GridLinear.apply, x, weight, bias)
    return _formula(x, weight, bias)


def _formula(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.baddbmm(bias.view(1, -1, 1), weight.expand(x.size(0), -1, -1), x)


class _GridLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight, bias)
        if native_function("grid_linear") is not None:
            return native_linear(x, weight, bias)
        out = empty(x.size(0), weight.size(0), x.size(2))
        return torch.baddbmm(bias.view(1, -1, 1), weight.expand(x.size(0), -1, -1), x, out=out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        with without_autocast():
            return _gradients(grad, ctx.saved_tensors, ctx.needs_input_grad)


def _gradients(grad: Tensor, saved: Sequence[Tensor], need: Sequence[bool]) -> tuple[Tensor | None, ...]:
    x, weight, _ = saved
    if torch.is_grad_enabled():  # second derivatives
        inputs = [t.view_as(t) for t in saved]
        wanted = [t for t, n in zip(inputs, need, strict=True) if n]
        found = iter(torch.autograd.grad(_formula(*inputs), wanted, grad, create_graph=True))
        return tuple(next(found) if n else None for n in need)
    if native_function("grid_linear") is not None:
        return native_linear_backward(grad, x, weight, need)
    grad_x = None
    if need[0]:
        grad_x = torch.bmm(weight.mT.expand(x.size(0), -1, -1), grad, out=empty(*x.shape))
    grad_weight = torch.bmm(grad, x.mT).sum(dim=0) if need[1] else None
    return grad_x, grad_weight, grad.sum(dim=(0, 2)) if need[2] else None
