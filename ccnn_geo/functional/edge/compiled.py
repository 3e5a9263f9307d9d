"""The edge convolution with a MAGNet kernel as one compiled function, its derivatives included."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.native.build import has_native
from ccnn_geo.functional.edge.basis import magnet_basis
from ccnn_geo.functional.edge.compiled_call import gradients, sums
from ccnn_geo.functional.edge.compiled_op import traced_edge_magnet
from ccnn_geo.functional.first_order import refuse_second_order
from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.kernels.math import magnet

MAX_DIM, MAX_HIDDEN, MAX_LAYERS = 3, 64, 4


def native_edge_conv(
    x: Tensor,
    pos_src: Tensor,
    pos_dst: Tensor,
    neighbors: Neighbors,
    kernel: ContinuousKernel,
    weight: Tensor | None = None,
) -> Tensor | None:
    r"""What :func:`~ccnn_geo.functional.edge.conv.edge_conv` computes for a depthwise kernel, or ``None``.

    ``None`` where this code does not apply: without a library, for kernels other than MAGNet with no or a Gaussian
    window, more than 3 dimensions, 4 hidden layers or 64 hidden channels (which must be a multiple of 4), types
    other than float32, devices other than the CPU. Edges outside the support are dropped on the way.

    Shapes:
        - **x:** :math:`(N, C)`; **pos_src:** :math:`(N, D)`; **pos_dst:** :math:`(M, D)`; **weight:** :math:`(N)`
        - **output:** :math:`(M, C)`
    """
    for t in (x, pos_src, pos_dst) if weight is None else (x, pos_src, pos_dst, weight):
        if t.dtype != torch.float32 or t.device.type != "cpu":
            return None
    if kernel.out_channels != x.size(1):
        return None
    found = kernel.remember("edge_magnet", lambda: _packed(kernel))
    if found is None:
        return None
    if weight is not None:
        x = x * weight.unsqueeze(-1)
    apply = traced_edge_magnet if torch.compiler.is_compiling() else _EdgeMAGNet.apply
    box, *tensors = found
    return apply(neighbors, box, x, pos_src, pos_dst, *tensors)


def native_kernel(kernel: ContinuousKernel, rel: Tensor, support: Tensor | None = None) -> Tensor | None:
    """Kernel values at offsets ``[U, D]``, ``[U, C]``, or ``None`` as above; nothing of an offset is kept.

    They are what a point with features of one sends along an edge to each offset.
    """
    found = _packed(kernel, support) if rel.dtype == torch.float32 and rel.device.type == "cpu" else None
    if found is None:
        return None
    numbers = torch.arange(rel.size(0) + 1)
    edges = Neighbors(torch.stack([torch.zeros_like(numbers), numbers])[:, :-1], numbers, 1, rel.size(0))
    point = rel.new_ones(1, kernel.out_channels), rel.new_zeros(1, kernel.dim)
    box, *tensors = found
    return _Kernel.apply(edges, box, *point, rel, *tensors)


def _packed(kernel: ContinuousKernel, support: Tensor | None = None) -> tuple[Tensor, ...] | None:
    """Box of the support ``[2, D]``, output layer and packed filters of a kernel this code is for."""
    output = kernel.output_weight()
    if output.dtype != torch.float32 or output.device.type != "cpu" or not has_native("edge_magnet"):
        return None
    basis = magnet_basis(kernel)
    if basis is None:
        return None
    hidden, layers = kernel.network.basis_channels, (len(basis.tensors) - 3) // 2
    if kernel.dim > MAX_DIM or hidden % 4 or not 0 < hidden <= MAX_HIDDEN or layers > MAX_LAYERS:
        return None
    high = kernel.support() if support is None else support
    return torch.stack([torch.zeros_like(high) if kernel.causal else -high, high]), output, *basis.tensors


class _EdgeMAGNet(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, neighbors: Neighbors, box: Tensor, x: Tensor, *tensors: Tensor) -> Tensor:
        ctx.neighbors = neighbors
        ctx.save_for_backward(box, x, *tensors)
        return sums(neighbors, box, x, tensors)

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_order("edge_conv")
        box, x, *tensors = ctx.saved_tensors
        return None, None, *gradients(ctx.neighbors, box, x, tensors, grad_out, ctx.needs_input_grad[2:])


class _Kernel(_EdgeMAGNet):
    """The kernel alone, which has second derivatives: those of its formula."""

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        if not torch.is_grad_enabled():
            return _EdgeMAGNet.backward(ctx, grad_out)
        box, _, _, *tensors = ctx.saved_tensors
        # views: a tensor that serves twice must not get the sum of its gradients in both places
        inputs = [t.view_as(t) for t in tensors]
        need = ctx.needs_input_grad[4:]
        wanted = [t for t, n in zip(inputs, need, strict=True) if n]
        found = iter(torch.autograd.grad(_formula(box, *inputs), wanted, grad_out, create_graph=True))
        return None, None, None, None, *(next(found) if n else None for n in need)


def _formula(
    box: Tensor,
    rel: Tensor,
    output: Tensor,
    quadratic: Tensor,
    window: Tensor,
    linear: Tensor,
    *affine: Tensor,
) -> Tensor:
    values = magnet.definition(rel.mT, quadratic, linear, *affine)
    weight = torch.exp2(rel.square().to(window.dtype) @ window[: rel.size(1)])
    inside = ((rel >= box[0]) & (rel <= box[1])).all(dim=1, keepdim=True)
    return torch.cat([values, weight.to(values.dtype)], dim=1) @ output.mT * inside
