"""Gabor filters with a backward pass of matrix products instead of one pass per axis and operation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def gabor(rel: Tensor, mu: Tensor, gamma: Tensor, omega: Tensor, phi: Tensor) -> Tensor:
    r"""Gabor filters at relative positions.

    .. math::
        g_j(r) = \exp\Big(-\tfrac12 \sum_d \gamma_{jd}^2 (r_d - \mu_{jd})^2\Big) \sin(\omega_j \cdot r + \phi_j)

    Expanded, :math:`\gamma^2 (r - \mu)^2` is linear in :math:`[r^2, r, 1]`: exponents and phases are one matrix
    product. The expansion cancels for narrow filters far from the origin; where its rounding error could
    exceed 1e-5 (or where products may run in TF32) the square is summed axis by axis instead.

    Args:
        rel: Relative positions.
        mu: Centres.
        gamma: Inverse widths, per axis or one for all.
        omega: Frequencies, rad per unit.
        phi: Phases, rad.

    Shapes:
        - **rel:** :math:`(*, D)`; **mu**, **omega:** :math:`(H, D)`; **gamma:** :math:`(H, D)` or
          :math:`(H, 1)`; **phi:** :math:`(H)`
        - **output:** :math:`(*, H)`
    """
    return _Gabor.apply(rel, mu, gamma.expand_as(mu), omega, phi)


def project(rel: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""Phases :math:`\omega \cdot r + \phi` in full precision, whatever the matmul settings are.

    With :math:`\omega_0 = 50` a TF32 product has a relative kernel error of 1e-2. A coordinate has at most
    three components, so multiply-adds cost no more than the matrix product they replace.

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


def _envelope(rel: Tensor, mu: Tensor, gamma: Tensor) -> Tensor:
    exponent = None
    for d in range(rel.size(-1)):
        scaled = torch.addcmul(-gamma[:, d] * mu[:, d], rel[..., d : d + 1], gamma[:, d])
        exponent = scaled.square() if exponent is None else torch.addcmul(exponent, scaled, scaled)
    return torch.exp(-0.5 * exponent)


def _expansion_error(rel: Tensor, mu: Tensor, gamma: Tensor) -> float:
    """Bound of the rounding error of the expanded exponent."""
    reach = rel.abs().amax(dim=tuple(range(rel.dim() - 1)))
    size = (gamma * (reach + mu.abs())).square().sum(dim=-1).amax()
    return 0.5 * torch.finfo(rel.dtype).eps * size.item()


def _envelope_and_phase(
    rel: Tensor, mu: Tensor, gamma: Tensor, omega: Tensor, phi: Tensor
) -> tuple[Tensor, Tensor]:
    # On a GPU reading the bound back would wait for the device, and a product may be in TF32.
    if rel.device.type != "cpu" or rel.numel() == 0 or _expansion_error(rel, mu, gamma) > 1e-5:
        return _envelope(rel, mu, gamma), project(rel, omega, phi)
    square = gamma.square()
    powers = torch.cat([rel.square(), rel], dim=-1)
    weight = torch.cat([-0.5 * square, square * mu], dim=-1)
    constant = -0.5 * (square * mu.square()).sum(dim=-1)
    return torch.nn.functional.linear(powers, weight, constant).exp_(), project(rel, omega, phi)


class _Gabor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rel: Tensor, mu: Tensor, gamma: Tensor, omega: Tensor, phi: Tensor) -> Tensor:
        envelope, phase = _envelope_and_phase(rel, mu, gamma, omega, phi)
        value = phase.sin() * envelope
        ctx.save_for_backward(rel, mu, gamma, omega, phi, value, envelope, phase)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rel, mu, gamma, omega, phi, value, envelope, phase = ctx.saved_tensors
        if torch.is_grad_enabled():  # second derivatives: let autograd differentiate the definition
            inputs = (rel, mu, gamma, omega, phi)
            wanted = [t for t, need in zip(inputs, ctx.needs_input_grad, strict=True) if need]
            out = torch.sin(project(rel, omega, phi)) * _envelope(rel, mu, gamma)
            found = iter(torch.autograd.grad(out, wanted, grad, create_graph=True))
            return tuple(next(found) if need else None for need in ctx.needs_input_grad)

        by_phase = (grad * envelope).mul_(phase.cos()).flatten(0, -2)  # dL/d(omega . r + phi)
        by_log = (grad * value).flatten(0, -2)  # dL/d(log envelope)
        points = rel.reshape(-1, rel.size(-1))
        grad_rel = None
        if ctx.needs_input_grad[0]:
            square = gamma.square()
            grad_rel = by_phase @ omega + by_log @ (square * mu) - points * (by_log @ square)
            grad_rel = grad_rel.view_as(rel)
        first, second = by_log.mT @ points, by_log.mT @ points.square()
        zeroth = by_log.sum(dim=0).unsqueeze(-1)
        grad_mu = gamma.square() * (first - mu * zeroth)
        grad_gamma = -gamma * (second - 2 * mu * first + mu.square() * zeroth)
        return grad_rel, grad_mu, grad_gamma, by_phase.mT @ points, by_phase.sum(dim=0)
