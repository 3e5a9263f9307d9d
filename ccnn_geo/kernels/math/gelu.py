"""The GELU with an optional residual: one pass over memory that is reused; only the input is kept."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ccnn_geo._base.native.sizes import FirstSizes
from ccnn_geo._base.operators import composite, operator
from ccnn_geo.kernels.math.gelu_compiled import native_gelu

MIN_SIZE = 1 << 14
"""Size below which the compiled loop costs more than it saves."""
HALF = (torch.bfloat16, torch.float16)
FIRST = FirstSizes(8)
"""Shapes in half precision that oneDNN computes: it is faster, and keeps a tenth of a megabyte for each."""


def gelu(x: Tensor, residual: Tensor | None = None) -> Tensor:
    r"""The Gaussian error linear unit, added to a residual.

    .. math::
        y = r + x \, \Phi(x)

    with :math:`\Phi` the distribution function of the standard normal distribution. On the CPU this is the operator
    ``ccnn_geo::gelu``.

    Args:
        x: Argument.
        residual: Summand :math:`r`, zero by default.

    Shapes:
        - **x, residual and output:** the same, any

    Source: Hendrycks & Gimpel, 2016, `"Gaussian Error Linear Units" <https://arxiv.org/abs/1606.08415>`_.
    """
    if x.device.type != "cpu":
        return _formula(x, residual)
    size = x.numel()
    if isinstance(size, int) and size < MIN_SIZE:  # in a traced graph it may be a symbol
        axis = min(max(x.dim() - 2, -1), 1)  # as in _axis
        y = F.gelu(x) if axis < 0 else F.gelu(x.transpose(axis, -1)).transpose(axis, -1)
        return y if residual is None else residual + y
    if residual is None or (residual.shape == x.shape and residual.dtype == x.dtype):
        return _GELU(x, residual)
    return residual + _GELU(x, None)


def _formula(x: Tensor, residual: Tensor | None) -> Tensor:
    y = F.gelu(x)
    return y if residual is None else residual + y


def _by_torch(x: Tensor, residual: Tensor | None) -> Tensor:
    axis = _axis(x)
    y = F.gelu(x.transpose(axis, -1)).transpose(axis, -1)
    return y if residual is None else residual + y


def _fake(x: Tensor, other: Tensor | None) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _forward_kernel(x: Tensor, residual: Tensor | None) -> Tensor:
    if x.numel() >= MIN_SIZE and x.dtype == torch.float32:
        found = native_gelu(x, residual=residual)
        if found is not None:
            return found
    return _by_torch(x, residual).contiguous()


def _backward_kernel(x: Tensor, grad: Tensor) -> Tensor:
    if x.numel() >= MIN_SIZE and x.dtype == torch.float32:
        found = native_gelu(x, grad_out=grad)
        if found is not None:
            return found
    axis = _axis(x)
    found = torch.ops.aten.gelu_backward(grad.transpose(axis, -1), x.transpose(axis, -1))
    return found.transpose(axis, -1).contiguous()


def _axis(x: Tensor) -> int:
    """The axis to swap with the last one for torch's own loop; the last axis itself if oneDNN may compute it.

    Torch passes contiguous tensors to oneDNN, which caches data for each shape.
    """
    if x.dim() < 2 or (x.dtype in HALF and x.numel() >= MIN_SIZE and FIRST.has(x.shape)):
        return -1
    return 0 if x.dim() == 2 else 1


_forward = operator("gelu_forward(Tensor x, Tensor? residual) -> Tensor", _forward_kernel, _fake, _formula)
_backward = operator("gelu_backward(Tensor x, Tensor grad) -> Tensor", _backward_kernel, _fake)


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, residual: Tensor | None) -> Tensor:
        ctx.save_for_backward(x)
        return _forward(x, residual)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (x,) = ctx.saved_tensors
        grad_x = None
        if ctx.needs_input_grad[0]:
            second = torch.is_grad_enabled()
            grad_x = torch.ops.aten.gelu_backward(grad, x) if second else _backward(x, grad)
        return grad_x, grad if ctx.needs_input_grad[1] else None


_GELU = composite("gelu(Tensor x, Tensor? residual) -> Tensor", _Function.apply, _formula)
