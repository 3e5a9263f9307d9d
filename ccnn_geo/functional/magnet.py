"""The basis of a multiplicative Gabor network, edge-last and with a backward pass written by hand.

A kernel network is small (8 to 64 wide) and runs on a million offsets: what counts is the number of passes
over its values. Values lie as ``[H, E]``, where the skinny matrix products are several times faster than as
``[E, H]`` (4x for H = 8), and ``exp2`` replaces ``exp``, which takes 4 times as long, more for denormals
(``python -m ccnn_geo.experiments.bench_primitives``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

LOG2_E = math.log2(math.e)
EXPANSION_ERROR = 1e-5
"""Largest rounding error of an exponent for which its square may be expanded."""


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


def magnet_basis(rel: Tensor, filters: Sequence[Gabor], hidden: Sequence[Affine]) -> Tensor:
    r"""Values of a multiplicative Gabor network before its output layer.

    .. math::
        g_l(r) = \exp\Big(-\tfrac12 \sum_d \gamma_{ld}^2 (r_d - \mu_{ld})^2\Big) \sin(\omega_l \cdot r + \phi_l),
        \qquad h_0 = g_0, \quad h_l = g_l \odot (W_l h_{l-1} + b_l)

    Expanded, the square is linear in :math:`[r^2, r, 1]` and all exponents are one matrix product. That
    cancels for narrow filters far from the origin; where the rounding error could exceed 1e-5, it is summed
    axis by axis instead. First derivatives are written out; second ones are left to autograd.

    Args:
        rel: Relative positions.
        filters: The :math:`L + 1` Gabor layers.
        hidden: The :math:`L` hidden layers.

    Shapes:
        - **rel:** :math:`(*, D)`
        - **output:** :math:`(*, H)`, with the channels' stride the largest

    Source: Romero et al., 2022 (FlexConv), Sec. 3.2.
    """
    flat = rel.reshape(-1, rel.size(-1)).mT.contiguous()
    parameters = [p for layer in (*filters, *hidden) for p in layer]
    out = _MAGNetBasis.apply(len(filters), flat, *parameters)
    return out.mT.unflatten(0, rel.shape[:-1])


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


def _phase(rel: Tensor, layer: Gabor) -> Tensor:
    if rel.device.type == "cpu":
        return torch.addmm(layer.phi.unsqueeze(1), layer.omega, rel)
    out = layer.phi.unsqueeze(1)
    for d in range(rel.size(0)):
        out = torch.addcmul(out, layer.omega[:, d : d + 1], rel[d])
    return out


def _envelope(rel: Tensor, powers: Tensor | None, reach: float, layer: Gabor) -> Tensor:
    mu, gamma = layer.mu, layer.gamma
    if powers is not None:
        size = (gamma * (reach + mu.abs())).square().sum(dim=-1).amax().item()
        if 0.5 * torch.finfo(rel.dtype).eps * size < EXPANSION_ERROR:
            square = LOG2_E * gamma.square()
            weight = torch.cat([-0.5 * square, square * mu], dim=1)
            constant = -0.5 * (square * mu.square()).sum(dim=1, keepdim=True)
            return torch.addmm(constant, weight, powers).exp2_()
    return _plain_envelope(rel, layer)


def _plain_envelope(rel: Tensor, layer: Gabor) -> Tensor:
    exponent = None
    for d in range(rel.size(0)):
        gamma = layer.gamma[:, d : d + 1]
        scaled = torch.addcmul(-gamma * layer.mu[:, d : d + 1], gamma, rel[d])
        exponent = scaled.square() if exponent is None else torch.addcmul(exponent, scaled, scaled)
    return torch.exp2(-0.5 * LOG2_E * exponent)


def _plain_basis(rel: Tensor, filters: Sequence[Gabor], hidden: Sequence[Affine]) -> Tensor:
    """The definition, for autograd."""
    values = [_plain_envelope(rel, layer) * torch.sin(_phase(rel, layer)) for layer in filters]
    h = values[0]
    for g, layer in zip(values[1:], hidden, strict=True):
        h = g * torch.addmm(layer.bias.unsqueeze(1), layer.weight, h)
    return h


def _unpack(num_filters: int, parameters: Sequence[Tensor]) -> tuple[list[Gabor], list[Affine]]:
    split = 4 * num_filters
    filters = [Gabor(*parameters[i : i + 4]) for i in range(0, split, 4)]
    return filters, [Affine(*parameters[i : i + 2]) for i in range(split, len(parameters), 2)]


class _MAGNetBasis(torch.autograd.Function):
    """``rel [D, E]`` to the last hidden values ``[H, E]``."""

    @staticmethod
    def forward(ctx: Any, num_filters: int, rel: Tensor, *parameters: Tensor) -> Tensor:
        filters, hidden = _unpack(num_filters, parameters)
        powers, reach = None, 0.0
        if (
            rel.device.type == "cpu" and rel.numel() > 0
        ):  # elsewhere reading the bound would wait for the device
            powers, reach = torch.cat([rel.square(), rel]), rel.abs().max().item()
        saved, h = [], None
        for l, layer in enumerate(filters):
            envelope, phase = _envelope(rel, powers, reach, layer), _phase(rel, layer)
            g = phase.sin().mul_(envelope)
            saved += [envelope, phase, g]
            if h is None:
                h = g
            else:
                linear = torch.addmm(hidden[l - 1].bias.unsqueeze(1), hidden[l - 1].weight, h)
                saved += [linear, h]
                h = linear * g
        ctx.num_filters, ctx.num_parameters = num_filters, len(parameters)
        ctx.save_for_backward(rel, *parameters, *saved)
        return h

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast(grad.device.type, enabled=False):
            return _MAGNetBasis._backward(ctx, grad)

    @staticmethod
    def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rel, *rest = ctx.saved_tensors
        parameters, saved = rest[: ctx.num_parameters], rest[ctx.num_parameters :]
        filters, hidden = _unpack(ctx.num_filters, parameters)
        needs = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():  # second derivatives: let autograd differentiate the definition
            # views: a tensor that serves twice must not get the sum of its gradients in both places
            inputs = [t.view_as(t) for t in (rel, *parameters)]
            wanted = [t for t, need in zip(inputs, needs, strict=True) if need]
            out = _plain_basis(inputs[0], *_unpack(ctx.num_filters, inputs[1:]))
            found = iter(torch.autograd.grad(out, wanted, grad, create_graph=True))
            return None, *(next(found) if need else None for need in needs)

        powers = torch.cat([rel.square(), rel])
        grad_rel = torch.zeros_like(rel) if needs[0] else None
        grad_filters: list[Tensor] = []
        grad_hidden: list[Tensor] = []
        for l in range(len(filters) - 1, 0, -1):
            *_, linear, h = saved[5 * l - 2 : 5 * l + 3]
            layer_grads = _gabor_backward(
                grad * linear, rel, powers, filters[l], saved[5 * l - 2 :], grad_rel
            )
            grad = grad * saved[5 * l]
            grad_hidden = [grad @ h.mT, grad.sum(dim=1), *grad_hidden]
            grad_filters = [*layer_grads, *grad_filters]
            grad = hidden[l - 1].weight.mT @ grad
        layer_grads = _gabor_backward(grad, rel, powers, filters[0], saved, grad_rel)
        return None, grad_rel, *layer_grads, *grad_filters, *grad_hidden


def _gabor_backward(
    grad: Tensor,
    rel: Tensor,
    powers: Tensor,
    layer: Gabor,
    saved: Sequence[Tensor],
    grad_rel: Tensor | None,
) -> list[Tensor]:
    """Gradients of one layer's parameters from ``dL/dg [H, E]``; adds its part to ``grad_rel [D, E]``.

    Those of the envelope are moments of the gradient, where the expanded square is harmless.
    """
    mu, gamma, omega, _ = layer
    envelope, phase, g = saved[:3]
    dim = rel.size(0)
    by_log = grad * g  # dL / d log(envelope)
    by_phase = phase.cos().mul_(envelope).mul_(grad)
    square = gamma.square()
    if grad_rel is not None:
        grad_rel.addmm_(omega.mT, by_phase).addmm_((square * mu).mT, by_log)
        grad_rel.sub_(rel * (square.mT @ by_log))
    moments = by_log @ powers.mT
    second, first = moments[:, :dim], moments[:, dim:]
    zeroth = by_log.sum(dim=1, keepdim=True)
    grad_mu = square * (first - mu * zeroth)
    grad_gamma = -gamma * (second - 2 * mu * first + mu.square() * zeroth)
    return [grad_mu, grad_gamma, by_phase @ rel.mT, by_phase.sum(dim=1)]
