"""The basis of a multiplicative Gabor network, with a hand-written backward pass.

A kernel network is small (8 to 64 wide) and runs on a million offsets, so its cost is the number of passes over
its values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ccnn_geo._base.operators import by_formula, composite, operator
from ccnn_geo.kernels.math.gabor import (
    Gabor,
    complete_squares,
    envelopes,
    gabor_backward,
    narrowed,
    offset_gradient,
    offset_powers,
    pack,
    phases,
)
from ccnn_geo.kernels.math.linear import linear as multiply
from ccnn_geo.kernels.math.scratch import Fresh, Scratch


class Affine(NamedTuple):
    """A hidden layer: ``weight [H, H]`` and ``bias [H]``."""

    weight: Tensor
    bias: Tensor


def magnet_basis(rel: Tensor, filters: Sequence[Gabor], hidden: Sequence[Affine]) -> Tensor:
    r"""Values of a multiplicative Gabor network before its output layer.

    .. math::
        g_l(r) = \exp\Big(-\tfrac12 \sum_d \gamma_{ld}^2 (r_d - \mu_{ld})^2\Big) \sin(\omega_l \cdot r + \phi_l),
        \qquad h_0 = g_0, \quad h_l = g_l \odot (W_l h_{l-1} + b_l)

    First derivatives are written out; autograd computes second ones. This is the operator
    ``ccnn_geo::magnet_basis``.

    Args:
        rel: Relative positions.
        filters: The :math:`L + 1` Gabor layers.
        hidden: The :math:`L` hidden layers.

    Shapes:
        - **rel:** :math:`(*, D)`
        - **output:** :math:`(*, H)`

    Source: Romero et al., 2022 (FlexConv), Sec. 3.2.
    """
    packed = pack(filters)
    flat = rel.reshape(-1, rel.size(-1)).mT.contiguous()
    affine = [p for layer in hidden for p in layer]
    return _BASIS(flat, packed.quadratic, packed.linear, affine).unflatten(0, rel.shape[:-1])


def multiply_layers(
    gabor: Tensor, hidden: Sequence[Affine], scratch: Scratch, out: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """Hidden values ``h_0 .. h_L`` and linear maps ``W_l h_{l-1} + b_l`` of filters ``[E, F]``, each ``[E, H]``.

    The last hidden values are written to ``out``.
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


def as_layers(affine: Sequence[Tensor]) -> list[Affine]:
    """Groups alternating weights and biases into hidden layers."""
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


def _forward_kernel(rel: Tensor, quadratic: Tensor, linear: Tensor, affine: Sequence[Tensor]) -> list[Tensor]:
    """The last hidden values ``[E, H]``, and the tensors that the backward pass needs."""
    powers, new = offset_powers(rel), Fresh(rel)
    phase = phases(powers, linear)
    coefficients = narrowed(quadratic, rel.dtype)
    envelope = envelopes(rel, powers, coefficients, out=new("envelope", *phase.shape))
    gabor = phase.sin().mul_(envelope)
    hidden = as_layers(affine)
    out = new("out", rel.size(1), linear.size(1) // (len(hidden) + 1))
    h, maps = multiply_layers(gabor, hidden, new, out)
    return [out, envelope, phase, gabor, *h[1:-1], *maps]


def _forward_fake(rel: Tensor, quadratic: Tensor, linear: Tensor, affine: Sequence[Tensor]) -> list[Tensor]:
    layers = len(affine) // 2
    wide, hidden = linear.size(1), linear.size(1) // (layers + 1)
    columns = [hidden, wide, wide, wide, *[hidden] * max(0, layers - 1), *[hidden] * layers]
    return [rel.new_empty(rel.size(1), n) for n in columns]


def _backward_kernel(
    grad: Tensor,
    rel: Tensor,
    quadratic: Tensor,
    linear: Tensor,
    affine: Sequence[Tensor],
    saved: Sequence[Tensor],
    need_rel: bool,
) -> list[Tensor]:
    envelope, phase, gabor, *values = saved
    with torch.autocast(grad.device.type, enabled=False):
        hidden = as_layers(affine)
        powers, cosine = offset_powers(rel), phase.cos().mul_(envelope)
        inner = max(0, len(hidden) - 1)
        h = [gabor[:, : grad.size(1)], *values[:inner]]
        grad_gabor, grad_hidden = multiply_layers_backward(grad, gabor, h, values[inner:], hidden, Fresh(rel))
        grad_quadratic, grad_linear, by_exponent, by_phase = gabor_backward(grad_gabor, gabor, cosine, powers)
        found = [grad_quadratic.to(quadratic.dtype), grad_linear, *grad_hidden]
        if need_rel:
            found.insert(0, offset_gradient(rel, [(quadratic, by_exponent)], linear, by_phase))
    return [t.contiguous() for t in found]


def _backward_fake(
    grad: Tensor,
    rel: Tensor,
    quadratic: Tensor,
    linear: Tensor,
    affine: Sequence[Tensor],
    saved: Sequence[Tensor],
    need_rel: bool,
) -> list[Tensor]:
    given = [rel] * need_rel + [quadratic, linear, *affine]
    return [t.new_empty(t.shape) for t in given]


_SIGNATURE = "Tensor rel, Tensor quadratic, Tensor linear, Tensor[] affine"
_forward = operator(f"magnet_basis_forward({_SIGNATURE}) -> Tensor[]", _forward_kernel, _forward_fake)
_backward = operator(
    f"magnet_basis_backward(Tensor grad, {_SIGNATURE}, Tensor[] saved, bool need_rel) -> Tensor[]",
    _backward_kernel,
    _backward_fake,
)


class _MAGNetBasis(torch.autograd.Function):
    """``rel [D, E]`` to the last hidden values ``[E, H]``."""

    @staticmethod
    def forward(ctx: Any, rel: Tensor, quadratic: Tensor, linear: Tensor, *affine: Tensor) -> Tensor:
        out, *saved = _forward(rel, quadratic, linear, affine)
        ctx.num_affine = len(affine)
        ctx.save_for_backward(rel, quadratic, linear, *affine, *saved)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rel, quadratic, linear, *rest = ctx.saved_tensors
        affine, saved = rest[: ctx.num_affine], rest[ctx.num_affine :]
        if torch.is_grad_enabled():  # second derivatives: let autograd differentiate the definition
            inputs = (rel, quadratic, linear, *affine)
            with torch.autocast(grad.device.type, enabled=False):
                return by_formula(definition, inputs, ctx.needs_input_grad, grad)
        need_rel = ctx.needs_input_grad[0]
        found = _backward(grad, rel, quadratic, linear, affine, saved, need_rel)
        return tuple(found) if need_rel else (None, *found)


def _formula(rel: Tensor, quadratic: Tensor, linear: Tensor, affine: Sequence[Tensor]) -> Tensor:
    return definition(rel, quadratic, linear, *affine)


_BASIS = composite(
    f"magnet_basis({_SIGNATURE}) -> Tensor",
    lambda *given: _MAGNetBasis.apply(*given[:3], *given[3]),
    _formula,
)
