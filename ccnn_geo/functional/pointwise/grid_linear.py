"""A linear layer on the channels of a grid, in reused memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.native.build import native_function
from ccnn_geo._base.native.memory import empty
from ccnn_geo._base.operators import differentiable
from ccnn_geo.functional.pointwise.grid_linear_compiled import native_linear, native_linear_backward
from ccnn_geo.kernels.math.low_precision import LOW, as_autocast, outgrows_onednn, without_autocast

Compute = Callable[[Tensor, Tensor, Tensor], Tensor]
Gradients = Callable[[Tensor, Tensor, Tensor, Sequence[bool]], list[Tensor]]


def grid_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""Applies :math:`y_{bo} = \sum_c W_{oc} x_{bc} + \beta_o` at all cells of a grid.

    On the CPU this is the operator ``ccnn_geo::grid_linear``.

    Shapes:
        - **x:** :math:`(B, C, L)`; **weight:** :math:`(O, C)`; **bias:** :math:`(O)`
        - **output:** :math:`(B, O, L)`
    """
    if x.device.type != "cpu":
        return _formula(x, weight, bias)
    if torch.is_autocast_enabled("cpu"):
        x, weight, bias = as_autocast(x, weight, bias)
    return _LINEAR(x, weight, bias)


def _formula(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.baddbmm(bias.view(1, -1, 1), weight.expand(x.size(0), -1, -1), x)


def _compute(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if x.dtype == torch.float32:
        found = native_linear(x, weight, bias)
        if found is not None:
            return found
        out = empty(x.size(0), weight.size(0), x.size(2))
        return torch.baddbmm(bias.view(1, -1, 1), weight.expand(x.size(0), -1, -1), x, out=out)
    return _formula(x, weight, bias).contiguous()


def _gradients(grad: Tensor, x: Tensor, weight: Tensor, need: Sequence[bool]) -> list[Tensor]:
    if x.dtype == torch.float32 and native_function("grid_linear") is not None:
        return [t.contiguous() for t in native_linear_backward(grad, x, weight, need) if t is not None]
    found = []
    if need[0]:
        out = empty(*x.shape) if x.dtype == torch.float32 else None
        found.append(torch.bmm(weight.mT.expand(x.size(0), -1, -1), grad, out=out))
    if need[1]:
        found.append(torch.bmm(grad, x.mT).sum(dim=0))
    if need[2]:
        found.append(grad.sum(dim=(0, 2)))
    return found


def _shape(x: Tensor, weight: Tensor) -> tuple[int, ...]:
    return x.size(0), weight.size(0), x.size(2)


def linear_operator(name: str, formula: Compute, compute: Compute, gradients: Gradients, shape: Any) -> Any:
    """Registers an operator ``(x, weight, bias) -> y`` from its formula, its computation and its first derivatives.

    ``compute`` and ``gradients`` get tensors of one type on the CPU. In half precision they get float32 instead if
    oneDNN must not see a size, and their results are rounded.

    Args:
        name: Name of the operator.
        formula: The layer in operations of torch.
        compute: Computes the layer.
        gradients: Computes the needed gradients of ``x``, ``weight`` and ``bias`` from the output's, ``x`` and
            ``weight``.
        shape: Returns the output's shape from ``x`` and ``weight``.
    """

    def kernel(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if not x.dtype == weight.dtype == bias.dtype or x.size(1) != weight.size(1):
            return formula(x, weight, bias)  # raises an error that names the mismatch
        if x.dtype not in LOW:
            return compute(x, weight, bias)
        with without_autocast():
            if outgrows_onednn(x, weight):
                return compute(x.float(), weight.float(), bias.float()).to(x.dtype)
            return compute(x, weight, bias)

    def backward_kernel(
        grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor, need: Sequence[bool]
    ) -> list[Tensor]:
        with without_autocast():
            if not outgrows_onednn(x, weight):
                return gradients(grad, x, weight, need)
            found = gradients(grad.float(), x.float(), weight.float(), need)
            return [t.to(x.dtype) for t in found]

    def wide(*tensors: Tensor) -> Tensor:
        """The formula in float32 for half precision, independent of autocast in the backward pass."""
        low = tensors[0].dtype
        with without_autocast():
            return formula(*(t.float() for t in tensors)).to(low) if low in LOW else formula(*tensors)

    return differentiable(
        f"{name}(Tensor x, Tensor weight, Tensor bias) -> Tensor",
        kernel,
        backward_kernel,
        lambda x, weight, bias: x.new_empty(shape(x, weight)),
        wide,
        learns=3,
    )


_LINEAR = linear_operator("grid_linear", _formula, _compute, _gradients, _shape)
