"""The compiled edge convolution as operators: the sum over edges, and kernel values, which have second derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.operators import by_formula, differentiable, operator
from ccnn_geo.functional.edge.compiled_call import gradients, sums
from ccnn_geo.functional.first_order import refuse_second_order
from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.kernels.math import magnet

# edges, their pointers, the box of the support, features; positions, output layer and packed filters
SIGNATURE = "(Tensor edge_index, Tensor ptr, Tensor box, Tensor x, Tensor[] tensors) -> Tensor"


def sum_by_formula(
    edge_index: Tensor, ptr: Tensor, box: Tensor, x: Tensor, tensors: Sequence[Tensor]
) -> Tensor:
    """What :func:`~ccnn_geo.functional.edge.compiled_call.sums` gives, in operations of torch."""
    pos_src, pos_dst, *kernel = tensors
    source, target = edge_index
    rel = pos_dst.index_select(0, target) - pos_src.index_select(0, source)
    values = _kernel_values(box, rel, *kernel) * x.index_select(0, source)
    return values.new_zeros(pos_dst.size(0), values.size(1)).index_add(0, target, values)


def _kernel_values(
    box: Tensor, rel: Tensor, output: Tensor, quadratic: Tensor, window: Tensor, linear: Tensor, *affine: Tensor
) -> Tensor:
    values = magnet.definition(rel.mT, quadratic, linear, *affine)
    weight = torch.exp2(rel.square().to(window.dtype) @ window[: rel.size(1)])
    inside = ((rel >= box[0]) & (rel <= box[1])).all(dim=1, keepdim=True)
    return torch.cat([values, weight.to(values.dtype)], dim=1) @ output.mT * inside


def _forward_kernel(
    edge_index: Tensor, ptr: Tensor, box: Tensor, x: Tensor, tensors: Sequence[Tensor]
) -> Tensor:
    return sums(_neighbors(edge_index, ptr, x), box, x, tensors)


def _backward_kernel(
    grad: Tensor,
    edge_index: Tensor,
    ptr: Tensor,
    box: Tensor,
    x: Tensor,
    tensors: Sequence[Tensor],
    need: Sequence[bool],
) -> list[Tensor]:
    found = gradients(_neighbors(edge_index, ptr, x), box, x, tensors, grad, need)
    # an operator returns memory of its own, laid out as it promises: those of filters are parts of one tensor
    lay = torch.contiguous_format
    parts = [t if t is None or i < 3 else t.clone(memory_format=lay) for i, t in enumerate(found)]
    return [t for t in parts if t is not None]


def _backward_fake(grad: Tensor, *given: Any) -> list[Tensor]:
    _, _, _, x, tensors, need = given
    return [t.new_empty(t.shape) for t, needed in zip((x, *tensors), need, strict=True) if needed]


_forward = operator(
    f"edge_magnet_forward{SIGNATURE}",
    _forward_kernel,
    lambda edge_index, ptr, box, x, tensors: x.new_empty(ptr.size(0) - 1, x.size(1)),
    sum_by_formula,
)
_backward = operator(
    "edge_magnet_backward(Tensor grad, Tensor edge_index, Tensor ptr, Tensor box, Tensor x, Tensor[] tensors, "
    "bool[] need) -> Tensor[]",
    _backward_kernel,
    _backward_fake,
)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, edge_index: Tensor, ptr: Tensor, box: Tensor, x: Tensor, *tensors: Tensor
    ) -> Tensor:
        ctx.save_for_backward(edge_index, ptr, box, x, *tensors)
        return _forward(edge_index, ptr, box, x, tensors)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_order("edge_conv")
        edge_index, ptr, box, x, *tensors = ctx.saved_tensors
        need = list(ctx.needs_input_grad[3:])
        found = iter(_backward(grad, edge_index, ptr, box, x, tensors, need))
        return None, None, None, *(next(found) if n else None for n in need)


class _Values(_Sum):
    """A kernel alone has second derivatives: those of its formula."""

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if not torch.is_grad_enabled():
            return _Sum.backward(ctx, grad)
        edge_index, ptr, box, *inputs = ctx.saved_tensors

        def formula(x: Tensor, *tensors: Tensor) -> Tensor:
            return sum_by_formula(edge_index, ptr, box, x, tensors)

        return None, None, None, *by_formula(formula, inputs, ctx.needs_input_grad[3:], grad)


def _apply_sum(*given: Any) -> Tensor:
    return _Sum.apply(*given[:-1], *given[-1]) if torch.is_grad_enabled() else _forward(*given)


def _apply_values(*given: Any) -> Tensor:
    return _Values.apply(*given[:-1], *given[-1]) if torch.is_grad_enabled() else _forward(*given)


edge_magnet = differentiable(f"edge_magnet{SIGNATURE}", _apply_sum, sum_by_formula)
"""``[M, C]`` of :func:`~ccnn_geo.functional.edge.compiled_call.sums`, with first derivatives."""
edge_kernel = differentiable(f"edge_kernel{SIGNATURE}", _apply_values, sum_by_formula)
"""The same with second derivatives, for a kernel's values."""


def _neighbors(edge_index: Tensor, ptr: Tensor, x: Tensor) -> Neighbors:
    return Neighbors(edge_index, ptr, x.size(0), ptr.size(0) - 1)
