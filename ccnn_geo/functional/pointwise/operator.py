"""Linear layers as operators: what those on grids and on points share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.operators import by_formula, differentiable, operator
from ccnn_geo.kernels.math.low_precision import LOW, outgrows_onednn, without_autocast

Compute = Callable[[Tensor, Tensor, Tensor], Tensor]
Gradients = Callable[[Tensor, Tensor, Tensor, Sequence[bool]], Sequence[Tensor | None]]


def linear_operator(name: str, formula: Compute, compute: Compute, gradients: Gradients, shape: Any) -> Any:
    """An operator ``(x, weight, bias) -> y`` of its formula, and of what computes it and its first derivatives.

    Both get tensors of one type on the CPU. In half precision they get those of float32 where oneDNN is not to see
    a size, and what they give is rounded.

    Args:
        name: Of the operator.
        formula: The layer in operations of torch.
        compute: The layer.
        gradients: Those of ``x``, ``weight`` and ``bias`` by the output's, ``x`` and ``weight``, as far as needed.
        shape: Gives the output's from ``x`` and ``weight``.
    """

    def forward_kernel(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        with without_autocast():
            if not x.dtype == weight.dtype == bias.dtype or x.size(1) != weight.size(1):
                return formula(x, weight, bias)  # which says what does not fit
            if outgrows_onednn(x, weight):
                return compute(x.float(), weight.float(), bias.float()).to(x.dtype)
            return compute(x, weight, bias)

    def backward_kernel(grad: Tensor, x: Tensor, weight: Tensor, need: Sequence[bool]) -> list[Tensor]:
        with without_autocast():
            if outgrows_onednn(x, weight):
                found = gradients(grad.float(), x.float(), weight.float(), need)
            else:
                found = gradients(grad, x, weight, need)
        return [t.to(x.dtype).contiguous() for t in found if t is not None]

    def forward_fake(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return x.new_empty(shape(x, weight))

    def backward_fake(grad: Tensor, x: Tensor, weight: Tensor, need: Sequence[bool]) -> list[Tensor]:
        shapes = (x.shape, weight.shape, weight.shape[:1])
        return [x.new_empty(s) for s, n in zip(shapes, need, strict=True) if n]

    signature = "(Tensor x, Tensor weight, Tensor bias) -> Tensor"
    forward = operator(f"{name}_forward{signature}", forward_kernel, forward_fake, formula)
    backward = operator(
        f"{name}_backward(Tensor grad, Tensor x, Tensor weight, bool[] need) -> Tensor[]",
        backward_kernel,
        backward_fake,
    )

    def wide(*tensors: Tensor) -> Tensor:
        """The formula in float32 for half precision, whatever autocast is while gradients are computed."""
        low = tensors[0].dtype
        with without_autocast():
            return formula(*(t.float() for t in tensors)).to(low) if low in LOW else formula(*tensors)

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            ctx.save_for_backward(x, weight, bias)
            return forward(x, weight, bias)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
            need = list(ctx.needs_input_grad)
            if torch.is_grad_enabled():  # second derivatives
                return by_formula(wide, ctx.saved_tensors, need, grad)
            found = iter(backward(grad, *ctx.saved_tensors[:2], need))
            return tuple(next(found) if n else None for n in need)

    def apply(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return Function.apply(x, weight, bias) if torch.is_grad_enabled() else forward(x, weight, bias)

    return differentiable(f"{name}{signature}", apply, formula)
