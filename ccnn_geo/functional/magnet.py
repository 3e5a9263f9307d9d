"""The basis of a multiplicative Gabor network, with a backward pass written by hand.

A kernel network is small (8 to 64 wide) and runs on a million offsets: what counts is the number of passes over
its values. All layers' filters lie side by side, ``[E, F]`` with ``F = (L + 1) H``, so that all exponents are one
matrix product with ``[r^2, r, 1]``, followed by one ``exp2`` (``exp`` takes 4 times as long).
``python -m ccnn_geo.experiments.bench_primitives`` has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ccnn_geo.functional.linear import cross
from ccnn_geo.functional.linear import linear as multiply
from ccnn_geo.functional.scratch import Fresh, Scratch

LN2 = math.log(2.0)
EXPANSION_ERROR = 1e-5
"""Largest rounding error of a filter for which the square in its exponent is expanded in float32."""


class Gabor(NamedTuple):
    """Parameters of one layer of Gabor filters: ``mu, gamma, omega [H, D]`` and ``phi [H]``."""

    mu: Tensor
    gamma: Tensor
    omega: Tensor
    phi: Tensor


class Affine(NamedTuple):
    """A hidden layer: ``weight [H, H]`` and ``bias [H]``."""

    weight: Tensor
    bias: Tensor


class Packed(NamedTuple):
    """All filters side by side.

    ``quadratic [2D + 1, F]`` are the base-2 exponents' coefficients of ``[r^2, r, 1]``, in double precision unless
    the offsets' own is safe; ``linear [D + 1, F]`` the phases' coefficients of ``[r, 1]``.
    """

    quadratic: Tensor
    linear: Tensor
    hidden: Sequence[Affine]


def magnet_basis(rel: Tensor, filters: Sequence[Gabor], hidden: Sequence[Affine]) -> Tensor:
    r"""Values of a multiplicative Gabor network before its output layer.

    .. math::
        g_l(r) = \exp\Big(-\tfrac12 \sum_d \gamma_{ld}^2 (r_d - \mu_{ld})^2\Big) \sin(\omega_l \cdot r + \phi_l),
        \qquad h_0 = g_0, \quad h_l = g_l \odot (W_l h_{l-1} + b_l)

    First derivatives are written out; second ones are left to autograd.

    Args:
        rel: Relative positions.
        filters: The :math:`L + 1` Gabor layers.
        hidden: The :math:`L` hidden layers.

    Shapes:
        - **rel:** :math:`(*, D)`
        - **output:** :math:`(*, H)`

    Source: Romero et al., 2022 (FlexConv), Sec. 3.2.
    """
    packed = pack(filters, hidden)
    flat = rel.reshape(-1, rel.size(-1)).mT.contiguous()
    affine = [p for layer in packed.hidden for p in layer]
    return _MAGNetBasis.apply(flat, packed.quadratic, packed.linear, *affine).unflatten(0, rel.shape[:-1])


def pack(filters: Sequence[Gabor], hidden: Sequence[Affine]) -> Packed:
    r"""Writes :math:`-\tfrac12 \gamma^2 (r - \mu)^2 / \ln 2` and :math:`\omega \cdot r + \phi` as linear maps.

    The expanded square cancels for narrow filters far from the origin. A filter's value at a distance of
    :math:`z` widths from its centre is then wrong by up to
    :math:`\tfrac\epsilon2 e^{-z^2/2} \sum_d (z_d + 2 \gamma_d |\mu_d|)^2`; where that could exceed 1e-5, and on
    devices that may round the factors of a product (TF32), the coefficients stay in double precision, which tells
    :func:`envelopes` to sum by axes.
    """
    mu, gamma, omega = (
        torch.cat([getattr(f, name) for f in filters]).mT for name in ("mu", "gamma", "omega")
    )
    phi = torch.cat([f.phi for f in filters])
    square = -0.5 / LN2 * gamma.to(wide(mu)).square()
    center = mu.to(wide(mu))
    quadratic = torch.cat([square, -2 * square * center, (square * center.square()).sum(dim=0, keepdim=True)])
    on_host = (
        mu.device.type == "cpu" and not torch.compiler.is_compiling()
    )  # the error is a number to look at
    if on_host and _expansion_error(mu, gamma) < EXPANSION_ERROR:
        quadratic = quadratic.to(mu.dtype)
    return Packed(quadratic, torch.cat([omega, phi.unsqueeze(0)]), hidden)


def wide(like: Tensor) -> torch.dtype:
    """Type in which to compute what float32 would round too coarsely."""
    return torch.float32 if like.device.type == "mps" else torch.float64  # Metal has nothing wider


@torch.no_grad()
def _expansion_error(mu: Tensor, gamma: Tensor) -> float:
    reach = (1 + 2 * (gamma * mu).abs()).square().sum(dim=0)
    return 0.5 * torch.finfo(mu.dtype).eps * reach.amax().item() if reach.numel() > 0 else 0.0


def offset_powers(rel: Tensor) -> Tensor:
    """``[r^2, r, 1]`` of offsets ``[D, E]``: ``[2D + 1, E]``."""
    return torch.cat([rel.square(), rel, torch.ones_like(rel[:1])])


def envelopes(rel: Tensor, powers: Tensor, quadratic: Tensor, out: Tensor) -> Tensor:
    """Gaussian envelopes ``[E, F]`` at offsets ``[D, E]`` with powers ``[2D + 1, E]``."""
    if quadratic.dtype == rel.dtype:
        return torch.mm(powers.mT, quadratic, out=out).exp2_()
    # Complete the squares in double precision and sum them by axes: one rounding of r - mu, no cancellation.
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


def multiply_layers(
    gabor: Tensor, hidden: Sequence[Affine], scratch: Scratch, out: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """Hidden values ``h_0 .. h_L`` and linear maps ``W_l h_{l-1} + b_l`` of filters ``[E, F]``, each ``[E, H]``.

    The last hidden values lie in ``out``.
    """
    g = gabor.chunk(len(hidden) + 1, dim=1)
    h, linear = [g[0]], []
    for l, layer in enumerate(hidden, start=1):
        linear.append(multiply(h[-1], layer.weight, layer.bias, out=scratch(f"linear{l}", *g[l].shape)))
        last = l == len(hidden)
        h.append(torch.mul(linear[-1], g[l], out=out if last else scratch(f"h{l}", *g[l].shape)))
    if not hidden:
        h = [out.copy_(g[0])]
    return h, linear


def multiply_layers_backward(
    grad: Tensor,
    gabor: Tensor,
    h: Sequence[Tensor],
    linear: Sequence[Tensor],
    hidden: Sequence[Affine],
    scratch: Scratch,
) -> tuple[Tensor, list[Tensor]]:
    """Gradients of the filters ``[E, F]`` and of each hidden weight and bias, from ``dL/dh_L [E, H]``."""
    g = gabor.chunk(len(hidden) + 1, dim=1)
    grad_gabor = scratch("grad_gabor", *gabor.shape)
    parts = grad_gabor.chunk(len(hidden) + 1, dim=1)
    grad_hidden: list[Tensor] = []
    for l in range(len(hidden), 0, -1):
        torch.mul(grad, linear[l - 1], out=parts[l])
        by_linear = torch.mul(grad, g[l], out=scratch("by_linear", *grad.shape))
        grad_hidden = [by_linear.mT @ h[l - 1], by_linear.sum(dim=0), *grad_hidden]
        grad = multiply(by_linear, hidden[l - 1].weight.mT, out=scratch("grad_h", *grad.shape))
    parts[0].copy_(grad)
    return grad_gabor, grad_hidden


def gabor_backward(
    grad_gabor: Tensor, gabor: Tensor, cosine: Tensor, powers: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of ``quadratic`` and ``linear``, and those of the exponents and phases ``[E, F]``.

    ``cosine`` is envelope times cosine; both tensors ``[E, F]`` that come in as gradients are overwritten.
    """
    dim = (powers.size(0) - 1) // 2
    by_phase = cosine.mul_(grad_gabor)
    by_exponent = grad_gabor.mul_(gabor)
    return LN2 * cross(powers, by_exponent), cross(powers[dim:], by_phase), by_exponent, by_phase


def offset_gradient(
    rel: Tensor, exponents: Sequence[tuple[Tensor, Tensor]], linear: Tensor, by_phase: Tensor
) -> Tensor:
    """Gradient of the offsets ``[D, E]``; ``exponents`` are coefficients and the gradient of what they give."""
    dim = rel.size(0)
    by_power = LN2 * sum((q[: 2 * dim].to(rel.dtype) @ by.mT for q, by in exponents), start=rel.new_zeros(()))
    return torch.addmm(2 * rel * by_power[:dim] + by_power[dim:], linear[:dim], by_phase.mT)


class _MAGNetBasis(torch.autograd.Function):
    """``rel [D, E]`` to the last hidden values ``[E, H]``."""

    @staticmethod
    def forward(ctx: Any, rel: Tensor, quadratic: Tensor, linear: Tensor, *affine: Tensor) -> Tensor:
        powers, new = offset_powers(rel), Fresh(rel)
        phase = phases(powers, linear)
        envelope = envelopes(rel, powers, quadratic, out=new("envelope", *phase.shape))
        gabor = phase.sin().mul_(envelope)
        hidden = as_layers(affine)
        out = new("out", rel.size(1), linear.size(1) // (len(hidden) + 1))
        h, maps = multiply_layers(gabor, hidden, new, out)
        ctx.num_affine = len(affine)
        ctx.save_for_backward(rel, quadratic, linear, *affine, envelope, phase, gabor, *h[1:-1], *maps)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast(grad.device.type, enabled=False):
            return _MAGNetBasis._backward(ctx, grad)

    @staticmethod
    def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rel, quadratic, linear, *rest = ctx.saved_tensors
        affine, (envelope, phase, gabor, *values) = rest[: ctx.num_affine], rest[ctx.num_affine :]
        if torch.is_grad_enabled():  # second derivatives: let autograd differentiate the definition
            # views: a tensor that serves twice must not get the sum of its gradients in both places
            inputs = [t.view_as(t) for t in (rel, quadratic, linear, *affine)]
            wanted = [t for t, need in zip(inputs, ctx.needs_input_grad, strict=True) if need]
            found = iter(torch.autograd.grad(definition(*inputs), wanted, grad, create_graph=True))
            return tuple(next(found) if need else None for need in ctx.needs_input_grad)

        hidden = as_layers(affine)
        powers, cosine = offset_powers(rel), phase.cos().mul_(envelope)
        inner = max(0, len(hidden) - 1)
        h = [gabor[:, : grad.size(1)], *values[:inner]]
        grad_gabor, grad_hidden = multiply_layers_backward(grad, gabor, h, values[inner:], hidden, Fresh(rel))
        grad_quadratic, grad_linear, by_exponent, by_phase = gabor_backward(grad_gabor, gabor, cosine, powers)
        grad_rel = None
        if ctx.needs_input_grad[0]:
            grad_rel = offset_gradient(rel, [(quadratic, by_exponent)], linear, by_phase)
        return grad_rel, grad_quadratic.to(quadratic.dtype), grad_linear, *grad_hidden


def as_layers(affine: Sequence[Tensor]) -> list[Affine]:
    """Hidden layers of alternating weights and biases."""
    return [Affine(*affine[i : i + 2]) for i in range(0, len(affine), 2)]


def definition(rel: Tensor, quadratic: Tensor, linear: Tensor, *affine: Tensor) -> Tensor:
    """The formula in packed parameters, for autograd: ``rel [D, E]`` to ``[E, H]``."""
    scale, shift, rest = complete_squares(quadratic)
    wide = rel.mT.to(quadratic.dtype).unsqueeze(2)
    exponent = rest - (wide * scale - shift).square().sum(dim=1)
    gabor = torch.exp2(exponent.to(rel.dtype)) * torch.sin(phases(offset_powers(rel), linear))
    h, *rest_of = gabor.chunk(len(affine) // 2 + 1, dim=1)
    for g, layer in zip(rest_of, as_layers(affine), strict=True):
        h = g * torch.addmm(layer.bias, h, layer.weight.mT)
    return h
