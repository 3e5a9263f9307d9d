"""Linear layers as operators: what those on grids and on points share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from ccnn_geo._base.operators import differentiable
from ccnn_geo.kernels.math.low_precision import LOW, outgrows_onednn, without_autocast

Compute = Callable[[Tensor, Tensor, Tensor], Tensor]
Gradients = Callable[[Tensor, Tensor, Tensor, Sequence[bool]], list[Tensor]]


def linear_operator(name: str, formula: Compute, compute: Compute, gradients: Gradients, shape: Any) -> Any:
    """An operator ``(x, weight, bias) -> y`` of its formula, and of what computes it and its first derivatives.

    Both get tensors of one type on the CPU. In half precision they get those of float32 where oneDNN is not to see
    a size, and what they give is rounded.

    Args:
        name: Of the operator.
        formula: The layer in operations of torch.
        compute: The layer.
        gradients: Those of ``x``, ``weight`` and ``bias`` by the output's, ``x`` and ``weight``: those needed.
        shape: Gives the output's from ``x`` and ``weight``.
    """

    def kernel(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if not x.dtype == weight.dtype == bias.dtype or x.size(1) != weight.size(1):
            return formula(x, weight, bias)  # which says what does not fit
        if x.dtype not in LOW:
            return compute(x, weight, bias)
        with without_autocast():
            if outgrows_onednn(x, weight):
                return compute(x.float(), weight.float(), bias.float()).to(x.dtype)
            return compute(x, weight, bias)

    def backward_kernel(
        grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor, need: Sequence[bool]
    ) -> list[Tensor]:
        with without_autocast():
            if not outgrows_onednn(x, weight):
                return gradients(grad, x, weight, need)
            found = gradients(grad.float(), x.float(), weight.float(), need)
            return [t.to(x.dtype) for t in found]

    def wide(*tensors: Tensor) -> Tensor:
        """The formula in float32 for half precision, whatever autocast is while gradients are computed."""
        low = tensors[0].dtype
        with without_autocast():
            return formula(*(t.float() for t in tensors)).to(low) if low in LOW else formula(*tensors)

    return differentiable(
        f"{name}(Tensor x, Tensor weight, Tensor bias) -> Tensor",
        kernel,
        backward_kernel,
        lambda x, weight, bias: x.new_empty(shape(x, weight)),
        wide,
        learns=3,
    )
