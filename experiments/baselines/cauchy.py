"""Sums over Cauchy kernels at the roots of unity and S4's low-rank correction, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_FLOATS = 1 << 18
"""Values of a table (channels x poles x frequencies) in memory at once: more would leave the processor's cache."""


class _Grid(NamedTuple):
    r"""Functions of the half angles :math:`\\pi k / L`, ``[K]``."""

    c: Tensor
    c2: Tensor
    s4: Tensor
    w: Tensor
    outer: Tensor
    inner: Tensor
    outer_conj: Tensor
    inner_conj: Tensor
    phase: Tensor

    @classmethod
    def make(cls, length: int, like: Tensor) -> _Grid:
        angle = math.pi / length * torch.arange(length // 2 + 1, dtype=torch.float64, device=like.device)
        c, s = angle.cos(), angle.sin()
        rows = [torch.stack(pair).unsqueeze(1) for pair in ((c, s), (s * s * c, s * c * c))]
        rows += [torch.stack([row[0], -row[1]]) for row in rows]
        real = [t.to(like.dtype) for t in (c, c * c, -4 * s * s, (4 * s * c).square(), *rows)]
        phase = torch.complex(c, s).to(torch.promote_types(like.dtype, torch.complex64))
        return cls._make([*real, phase])


def dplr_spectrum(poles: Tensor, weights: Tensor, length: int, chunk_floats: int = CHUNK_FLOATS) -> Tensor:
    r"""Discrete Fourier transform of the kernel of a bilinearly discretised diagonal plus low-rank system.

    .. math::
        \hat K_k = \frac{2}{1 + \omega} \left( r_0 - \frac{r_1 r_2}{1 + r_3} \right), \quad
        r_j = \sum_n \frac{v_{jn}}{z - \lambda_n} + \frac{\bar v_{jn}}{z - \bar\lambda_n}, \quad
        z = 2 \frac{1 - \omega}{1 + \omega}, \quad \omega = e^{-2 \pi i k / L}

    with :math:`\lambda` times the step size, and :math:`v` the products :math:`\tilde C B, \tilde C p, \bar p B,
    \bar p p`, times the step size. On the unit circle :math:`z = 2 i s / c` with sine and cosine of half the angle,
    and a pair of conjugates is, with :math:`a = 2 \Re v`, :math:`b = -2 \Re v \bar\lambda`, :math:`\rho = \Re \lambda`,

    .. math::
        c \, \frac{2 i s a + c b}{p - 4 i s c \rho} = c \, (2 i s a + c b)(P + 4 i s c \rho R), \quad
        p = c^2 |\lambda|^2 - 4 s^2, \quad R = \frac{1}{p^2 + (4 s c \rho)^2}, \quad P = p R,

    finite at all frequencies; both p and the denominator are divided by :math:`|\lambda|^2`, lest short steps overflow.
    The sums over poles are matrix products with the real tables P and R, computed for few channels at a time, and again
    in the backward pass.

    Args:
        poles: One of each pair of conjugates :math:`\lambda`, of negative real part.
        weights: The products :math:`v`.
        length: Kernel length :math:`L`.
        chunk_floats: Size of a table.

    Shapes:
        - **poles:** :math:`(H, n)`; **weights:** :math:`(H, 4, n)`; **output:** :math:`(H, \lfloor L / 2 \rfloor + 1)`

    First derivatives only.

    Source: Gu et al., 2022 (S4), Algorithm 1; modelled on the reference implementation's ``SSMKernelDPLR``.
    """
    real = poles.real
    a, b = 2 * weights.real, -2 * (weights * poles.conj().unsqueeze(1)).real
    inverse = (real.square() + poles.imag.square()).reciprocal()
    a, b = a * inverse.unsqueeze(1), b * inverse.unsqueeze(1)
    scaled = (real * inverse).unsqueeze(1)
    with_p = torch.cat([b, 2 * a], dim=1)
    with_r = torch.cat([-8 * scaled * a, 4 * scaled * b], dim=1)
    grid = _Grid.make(length, real)
    rows = max(1, chunk_floats // (grid.c.numel() * poles.size(1)))
    return _Spectrum.apply(grid, rows, with_p, with_r, inverse, (real * inverse).square())


class _Spectrum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grid: _Grid, rows: int, *tensors: Tensor) -> Tensor:
        ctx.grid, ctx.rows = grid, rows
        ctx.save_for_backward(*tensors)
        out = grid.phase.new_empty(tensors[0].size(0), grid.c.numel())
        scratch = _scratch(grid, rows, tensors[2], 2)
        for part, with_p, with_r, *ratios in zip(*(t.split(rows) for t in (out, *tensors)), strict=True):
            p, r = _tables(grid, *ratios, *scratch)
            r0, r1, r2, r3 = _sums(grid, with_p, with_r, p, r).unbind(1)
            r0 -= (r1 * grid.c).mul_(r2).div_((r3 * grid.c).add_(1))
            torch.mul(r0, grid.phase, out=part)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grid, rows, tensors = ctx.grid, ctx.rows, ctx.saved_tensors
        grads = [torch.empty_like(t) for t in tensors]
        scratch = _scratch(grid, rows, tensors[2], 3)
        for g, *chunk in zip(*(t.split(rows) for t in (grad, *tensors, *grads)), strict=True):
            _chunk_backward(grid, g, chunk[:4], chunk[4:], scratch)
        return None, None, *grads


def _scratch(grid: _Grid, rows: int, inverse: Tensor, count: int) -> list[Tensor]:
    """Memory for tables, reused for all of them: fresh memory costs as much as the computation."""
    size = min(rows, inverse.size(0)), inverse.size(1), grid.c.numel()
    return [inverse.new_empty(size) for _ in range(count)]


def _tables(grid: _Grid, inverse: Tensor, ratio: Tensor, p: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """P and R, ``[h, n, K]``, in the memory given."""
    p, r = p[: inverse.size(0)], r[: inverse.size(0)]
    torch.addcmul(grid.c2, inverse.unsqueeze(-1), grid.s4, out=p)
    torch.mul(p, p, out=r).addcmul_(ratio.unsqueeze(-1), grid.w).reciprocal_()
    return p.mul_(r), r


def _sums(grid: _Grid, with_p: Tensor, with_r: Tensor, p: Tensor, r: Tensor) -> Tensor:
    """All :math:`r_j / c`, ``[h, 4, K]``."""
    sums = torch.bmm(with_p, p).unflatten(1, (2, 4)).mul_(grid.outer)
    sums.addcmul_(torch.bmm(with_r, r).unflatten(1, (2, 4)), grid.inner)
    return torch.complex(sums[:, 0], sums[:, 1])


def _chunk_backward(
    grid: _Grid, grad: Tensor, chunk: Sequence[Tensor], out: Sequence[Tensor], scratch: Sequence[Tensor]
) -> None:
    with_p, with_r, inverse, ratio = chunk
    p, r = _tables(grid, inverse, ratio, *scratch[:2])
    _, r1, r2, r3 = _sums(grid, with_p, with_r, p, r).unbind(1)
    correction = (r3 * grid.c).add_(1).reciprocal_().mul_(-grid.c)
    # all gradients conjugated: the real part is that of the first rows, minus the imaginary part of the others
    first = grad.conj() * grid.phase
    second, third = r2.mul_(correction).mul_(first), r1.mul_(correction)
    sums = torch.stack([first, second, third * first, third.mul_(second)], dim=1)
    pairs = torch.stack([sums.real, sums.imag], dim=1)
    grad_p = (pairs * grid.outer_conj).flatten(1, 2)
    grad_r = pairs.mul_(grid.inner_conj).flatten(1, 2)

    # by p, P' = R - 2 P^2 and R' = -2 P R; by its complement in 1 / R, -P R and -R^2
    torch.bmm(grad_p, p.mT, out=out[0])
    torch.bmm(grad_r, r.mT, out=out[1])
    slope = torch.addcmul(r, p, p, value=-2, out=scratch[2][: p.size(0)])
    product = p.mul_(r)
    by_inverse = with_p * torch.bmm(grad_p * grid.s4, slope.mT)
    mixed = torch.bmm(torch.cat([grad_r * grid.s4, grad_p.mul_(grid.w)], dim=1), product.mT)
    by_inverse -= 2 * with_r * mixed[:, :8]
    by_ratio = with_p * mixed[:, 8:] + with_r * torch.bmm(grad_r.mul_(grid.w), r.square_().mT)
    torch.sum(by_inverse, 1, out=out[2])
    torch.sum(by_ratio.neg_(), 1, out=out[3])
