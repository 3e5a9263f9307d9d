"""The GELU with an optional residual: one pass over memory that is used again, keeping the input alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ccnn_geo._base.native.build import in_host_memory, native_function
from ccnn_geo._base.native.sizes import FirstSizes
from ccnn_geo.kernels.math.gelu_compiled import native_gelu, native_gelu_backward

MIN_SIZE = 1 << 14
"""Numbers below which the call costs more than it saves."""
HALF = (torch.bfloat16, torch.float16)
FIRST = FirstSizes(8)
"""Shapes in half precision that oneDNN takes, which is faster and keeps a tenth of a megabyte for each."""


def gelu(x: Tensor, residual: Tensor | None = None) -> Tensor:
    r"""The Gaussian error linear unit, added to a residual.

    .. math::
        y = r + x \, \Phi(x)

    with :math:`\Phi` the distribution function of the standard normal distribution.

    Args:
        x: Argument.
        residual: Summand :math:`r`, zero by default.

    Shapes:
        - **x, residual and output:** the same, any

    Source: Hendrycks & Gimpel, 2016, `"Gaussian Error Linear Units" <https://arxiv.org/abs/1606.08415>`_.
    """
    given = (x,) if residual is None else (x, residual)
    # a compiler is asked first: sizes may be symbols then
    if not in_host_memory(*given):
        y = F.gelu(x)
    elif x.numel() >= MIN_SIZE and _suits(*given):
        return _GELU.apply(x, residual)
    elif x.dim() < 2 or (x.dtype in HALF and x.numel() >= MIN_SIZE and FIRST.has(x.shape)):
        y = F.gelu(x)
    else:  # torch's own loop: contiguous tensors it would give to oneDNN, which keeps what it makes for each shape
        axis = 0 if x.dim() == 2 else 1
        y = F.gelu(x.transpose(axis, -1)).transpose(axis, -1)
    return y if residual is None else residual + y


def _suits(*given: Tensor) -> bool:
    same = all(t.shape == given[0].shape and t.dtype == torch.float32 for t in given)
    return same and native_function("gelu") is not None


class _GELU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, residual: Tensor | None) -> Tensor:
        ctx.save_for_backward(x)
        return native_gelu(x, residual)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (x,) = ctx.saved_tensors
        grad_x = None
        if ctx.needs_input_grad[0]:
            second = torch.is_grad_enabled()
            grad_x = torch.ops.aten.gelu_backward(grad, x) if second else native_gelu_backward(grad, x)
        return grad_x, grad if ctx.needs_input_grad[1] else None
