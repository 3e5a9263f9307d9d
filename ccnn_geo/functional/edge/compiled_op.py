"""The compiled edge convolution as an operator that ``torch.compile`` takes whole."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ccnn_geo.functional.edge.compiled_call import gradients, sums
from ccnn_geo.functional.graph import Neighbors


def traced_edge_magnet(neighbors: Neighbors, box: Tensor, x: Tensor, *tensors: Tensor) -> Tensor:
    """What the compiled edge convolution gives, with its gradients, inside of a graph."""
    return edge_magnet(neighbors.edge_index, neighbors.ptr, box, x, list(tensors))


# Schemas are written out: the lowest torch does not read list[Tensor].
@torch.library.custom_op(
    "ccnn_geo::edge_magnet",
    mutates_args=(),
    schema="(Tensor edge_index, Tensor ptr, Tensor box, Tensor x, Tensor[] tensors) -> Tensor",
)
def edge_magnet(edge_index: Tensor, ptr: Tensor, box: Tensor, x: Tensor, tensors: list[Tensor]) -> Tensor:
    """``[M, C]`` of :func:`~ccnn_geo.functional.edge.compiled_call.sums`."""
    return sums(_neighbors(edge_index, ptr, x), box, x, tensors)


@edge_magnet.register_fake
def _(edge_index: Tensor, ptr: Tensor, box: Tensor, x: Tensor, tensors: list[Tensor]) -> Tensor:
    return x.new_empty(ptr.size(0) - 1, x.size(1))


@torch.library.custom_op(
    "ccnn_geo::edge_magnet_backward",
    mutates_args=(),
    schema="(Tensor grad, Tensor edge_index, Tensor ptr, Tensor box, Tensor x, Tensor[] tensors, bool[] need) "
    "-> Tensor[]",
)
def edge_magnet_backward(
    grad: Tensor,
    edge_index: Tensor,
    ptr: Tensor,
    box: Tensor,
    x: Tensor,
    tensors: list[Tensor],
    need: list[bool],
) -> list[Tensor]:
    """Those gradients of :func:`~ccnn_geo.functional.edge.compiled_call.gradients` that are needed."""
    found = gradients(_neighbors(edge_index, ptr, x), box, x, tensors, grad, need)
    # an operator returns memory of its own, laid out as it promises: some are parts of one tensor, or turned
    lay = torch.contiguous_format
    return [t.contiguous() if t is found[0] else t.clone(memory_format=lay) for t in found if t is not None]


@edge_magnet_backward.register_fake
def _(
    grad: Tensor,
    edge_index: Tensor,
    ptr: Tensor,
    box: Tensor,
    x: Tensor,
    tensors: list[Tensor],
    need: list[bool],
) -> list[Tensor]:
    return [
        torch.empty_like(t, memory_format=torch.contiguous_format)
        for t, needed in zip((x, *tensors), need, strict=True)
        if needed
    ]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *given, tensors = inputs
    ctx.save_for_backward(*given, *tensors)


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    edge_index, ptr, box, x, *tensors = ctx.saved_tensors
    need = [ctx.needs_input_grad[3], *ctx.needs_input_grad[4]]
    found = iter(edge_magnet_backward(grad, edge_index, ptr, box, x, tensors, need))
    first, *rest = [next(found) if needed else None for needed in need]
    return None, None, None, first, rest


edge_magnet.register_autograd(_backward, setup_context=_setup)


def _neighbors(edge_index: Tensor, ptr: Tensor, x: Tensor) -> Neighbors:
    return Neighbors(edge_index, ptr, x.size(0), ptr.size(0) - 1)
