"""Products with Vandermonde matrices, without the matrices."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_FLOATS = 1 << 18
"""Numbers per chunk of channels: more would leave the processor's cache."""


def power_sums(
    weights: Tensor, exponents: Tensor, length: int, dtype: torch.dtype, chunk_floats: int = CHUNK_FLOATS
) -> Tensor:
    r"""Sums of damped oscillations at the integers.

    .. math::
        K_l = 2 \Re \sum_n w_n e^{l z_n} = \Re \sum_n \left( 2 w_n e^{i S z_n} \right) e^{j z_n}, \quad l = i S + j

    With :math:`S \approx \sqrt L` this takes :math:`2 n S` exponentials instead of :math:`n L`, and a matrix product.
    The backward pass is alike; it needs :math:`\sum_l g_l \, l^m e^{l z_n}` for m = 0 and 1.

    Args:
        weights: The factors :math:`w`, complex128.
        exponents: The exponents :math:`z`, complex128: phases are reduced before they are rounded.
        length: Length :math:`L`.
        dtype: Precision of powers and sums.
        chunk_floats: Size of a chunk of channels.

    Shapes:
        - **weights, exponents:** :math:`(H, n)`; **output:** :math:`(H, L)`

    First derivatives only.
    """
    stride = math.isqrt(length - 1) + 1
    rows = max(1, chunk_floats // (length + 8 * stride * exponents.size(1)))
    return _PowerSums.apply(stride, -(-length // stride), rows, dtype, weights, exponents)[:, :length]


class _PowerSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, stride: int, count: int, rows: int, dtype: torch.dtype, *tensors: Tensor) -> Tensor:
        ctx.settings = stride, count, rows
        ctx.save_for_backward(*tensors)
        out = torch.empty(tensors[0].size(0), count * stride, dtype=dtype, device=tensors[0].device)
        for part, w, z in zip(*(t.split(rows) for t in (out, *tensors)), strict=True):
            fine, coarse = _powers(z, stride, dtype), _powers(stride * z, count, dtype)
            w = torch.view_as_real(2 * w).to(dtype).movedim(-1, 1).unsqueeze(1)  # [h, 1, 2, n]
            # Re(a b) is the product of (Re a, -Im a) with (Re b, Im b)
            real, imag = _times(coarse, w)
            torch.bmm(
                torch.cat([real, -imag], -1), fine.flatten(2).mT, out=part.unflatten(1, (count, stride))
            )
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (stride, count, rows), (weights, exponents) = ctx.settings, ctx.saved_tensors
        dtype = grad.dtype
        index = torch.arange(max(stride, count), dtype=dtype, device=grad.device)
        sums = torch.empty(2, *weights.shape, 2, dtype=dtype, device=grad.device)
        for part, g, z in zip(sums.split(rows, 1), *(t.split(rows) for t in (grad, exponents)), strict=True):
            g = g.unflatten(1, (count, stride))
            fine, coarse = _powers(z, stride, dtype).flatten(2), _powers(stride * z, count, dtype)
            first = torch.bmm(g, fine)
            second = torch.bmm(g, fine.mul_(index[:stride, None]))
            second.addcmul_(first, stride * index[:count, None])  # l = i S + j
            for out, inner in zip(part, (first, second), strict=True):
                pair = _times(coarse, inner.unflatten(2, (2, -1)))
                torch.stack([t.sum(1) for t in pair], dim=-1, out=out)
        zeroth, linear = (2 * torch.view_as_complex(t).to(weights.dtype) for t in sums)
        return None, None, None, None, zeroth.conj(), (weights * linear).conj()


def _powers(exponents: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Real and imaginary parts of ``exp(l z)`` for l < count, ``[h, count, 2, n]``."""
    phase = torch.remainder(exponents.imag, 2 * math.pi)
    index = torch.arange(count, dtype=dtype, device=exponents.device).view(-1, 1)
    size, angle = (t.to(dtype).unsqueeze(1) * index for t in (exponents.real, phase))
    size = size.exp_()
    return torch.stack([angle.cos().mul_(size), angle.sin().mul_(size)], dim=2)


def _times(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Real and imaginary parts of the product of complex numbers ``[..., 2, n]``."""
    (ar, ai), (br, bi) = a.unbind(-2), b.unbind(-2)
    return (ar * br).addcmul_(ai, bi, value=-1), (ar * bi).addcmul_(ai, br)
