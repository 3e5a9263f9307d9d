"""Gabor filters: their values at many offsets, and their derivatives, written out.

The filters of all layers lie side by side, ``[E, F]`` with ``F = (L + 1) H``, so that all exponents are one matrix
product with ``[r^2, r, 1]``, followed by one ``exp2`` (``exp`` takes 4 times as long).
``python -m ccnn_geo.experiments.benchmarks.bench_primitives`` measures this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ccnn_geo.kernels.math.linear import cross

LN2 = math.log(2.0)
EXPANSION_ERROR = 1e-5
"""Largest rounding error of a filter for which the square in its exponent is expanded in float32."""


class Gabor(NamedTuple):
    """Parameters of one layer of Gabor filters: ``mu, gamma, omega [H, D]`` and ``phi [H]``."""

    mu: Tensor
    gamma: Tensor
    omega: Tensor
    phi: Tensor


class Packed(NamedTuple):
    """All filters side by side.

    ``quadratic [2D + 1, F]`` are the coefficients of ``[r^2, r, 1]`` in the base-2 exponents, in double precision;
    ``linear [D + 1, F]`` are the coefficients of ``[r, 1]`` in the phases.
    """

    quadratic: Tensor
    linear: Tensor


def pack(filters: Sequence[Gabor]) -> Packed:
    r"""Writes :math:`-\tfrac12 \gamma^2 (r - \mu)^2 / \ln 2` and :math:`\omega \cdot r + \phi` as linear maps."""
    mu, gamma, omega = (
        torch.cat([getattr(f, name) for f in filters]).mT for name in ("mu", "gamma", "omega")
    )
    phi = torch.cat([f.phi for f in filters])
    square = -0.5 / LN2 * gamma.to(wide(mu)).square()
    center = mu.to(wide(mu))
    quadratic = torch.cat([square, -2 * square * center, (square * center.square()).sum(dim=0, keepdim=True)])
    return Packed(quadratic, torch.cat([omega, phi.unsqueeze(0)]))


def wide(like: Tensor) -> torch.dtype:
    """Type for computations that float32 would round too coarsely."""
    return torch.float32 if like.device.type == "mps" else torch.float64  # Metal has no wider type


@torch.no_grad()
def narrowed(quadratic: Tensor, dtype: torch.dtype) -> Tensor:
    r"""Coefficients of the exponents ``[2D + 1, F]``, in the offsets' type if that is safe, else unchanged.

    The expanded square cancels for narrow filters far from the origin. A filter's value at a distance of
    :math:`z` widths from its centre is then wrong by up to
    :math:`\tfrac\epsilon2 e^{-z^2/2} \sum_d (z_d + 2 \gamma_d |\mu_d|)^2`. If that could exceed 1e-5, or the device
    may round the factors of a product (TF32), the coefficients stay in double precision. :func:`envelopes` then
    sums axis by axis.
    """
    if quadratic.dtype == dtype or quadratic.device.type != "cpu" or quadratic.size(1) == 0:
        return quadratic
    _, shift, _ = complete_squares(quadratic)
    reach = (1 + 2 * math.sqrt(2 * LN2) * shift.abs()).square().sum(dim=0)
    safe = 0.5 * torch.finfo(dtype).eps * reach.amax().item() < EXPANSION_ERROR
    return quadratic.to(dtype) if safe else quadratic


def offset_powers(rel: Tensor) -> Tensor:
    """``[r^2, r, 1]`` of offsets ``[D, E]``: ``[2D + 1, E]``."""
    return torch.cat([rel.square(), rel, torch.ones_like(rel[:1])])


def envelopes(rel: Tensor, powers: Tensor, quadratic: Tensor, out: Tensor) -> Tensor:
    """Gaussian envelopes ``[E, F]`` at offsets ``[D, E]`` with powers ``[2D + 1, E]``."""
    if quadratic.dtype == rel.dtype:
        return torch.mm(powers.mT, quadratic, out=out).exp2_()
    # Complete the squares in double precision and sum them axis by axis: one rounding of r - mu, no cancellation.
    scale, shift, rest = complete_squares(quadratic)
    out[:] = rest.to(rel.dtype)
    scaled = None
    for r, a, b in zip(rel.unsqueeze(2), scale.to(rel.dtype), shift.to(rel.dtype), strict=True):
        scaled = torch.addcmul(-b, r, a, out=scaled)
        out.addcmul_(scaled, scaled, value=-1)
    return out.exp2_()


def complete_squares(quadratic: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Scale ``[D, F]``, shift ``[D, F]`` and rest ``[F]`` of exponents as :math:`c - \sum_d (a_d r_d - b_d)^2`."""
    dim = quadratic.size(0) // 2
    scale = quadratic[:dim].neg().sqrt()
    shift = torch.where(scale > 0, quadratic[dim : 2 * dim] / (2 * scale), 0)
    return scale, shift, quadratic[-1] + shift.square().sum(dim=0)


def phases(powers: Tensor, linear: Tensor) -> Tensor:
    """Phases ``[E, F]`` in full precision."""
    dim = linear.size(0) - 1
    if powers.device.type == "cpu":
        return powers[dim:].mT @ linear
    return project(powers[dim : 2 * dim].mT, linear[:dim].mT, linear[dim])


def project(rel: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""Phases :math:`\omega \cdot r + \phi` in full precision, whatever the matmul settings are.

    With :math:`\omega_0 = 50` a TF32 product causes a relative kernel error of 1e-2. A position has at most
    three coordinates, so multiply-adds cost no more than the matrix product they replace.

    Shapes:
        - **rel:** :math:`(*, D)`; **weight:** :math:`(H, D)`; **bias:** :math:`(H)`
        - **output:** :math:`(*, H)`
    """
    if rel.device.type == "cpu":  # no reduced-precision product there
        return torch.nn.functional.linear(rel, weight, bias)
    out = rel[..., :1] * weight[:, 0] if bias is None else torch.addcmul(bias, rel[..., :1], weight[:, 0])
    for d in range(1, rel.size(-1)):
        out = torch.addcmul(out, rel[..., d : d + 1], weight[:, d])
    return out


def gabor_backward(
    grad_gabor: Tensor, gabor: Tensor, cosine: Tensor, powers: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of ``quadratic`` and ``linear``, and of the exponents and phases ``[E, F]``.

    ``cosine`` is envelope times cosine; both gradients ``[E, F]`` passed in are overwritten.
    """
    dim = (powers.size(0) - 1) // 2
    by_phase = cosine.mul_(grad_gabor)
    by_exponent = grad_gabor.mul_(gabor)
    return LN2 * cross(powers, by_exponent), cross(powers[dim:], by_phase), by_exponent, by_phase


def offset_gradient(
    rel: Tensor, exponents: Sequence[tuple[Tensor, Tensor]], linear: Tensor, by_phase: Tensor
) -> Tensor:
    """Gradient of the offsets ``[D, E]``; ``exponents`` holds coefficients and the gradient of their result."""
    dim = rel.size(0)
    by_power = LN2 * sum((q[: 2 * dim].to(rel.dtype) @ by.mT for q, by in exponents), start=rel.new_zeros(()))
    return torch.addmm(2 * rel * by_power[:dim] + by_power[dim:], linear[:dim], by_phase.mT)
