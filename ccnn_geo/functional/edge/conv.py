"""Exact convolution over neighbours in the memory of one chunk of targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.tracing import is_traced
from ccnn_geo.functional.edge.basis import EdgeBasis, edge_basis
from ccnn_geo.functional.edge.chunks import Chunk, edge_offsets, plan_chunks
from ccnn_geo.functional.edge.compiled import native_edge_conv
from ccnn_geo.functional.edge.contraction import Dense, Depthwise
from ccnn_geo.functional.first_order import refuse_second_order
from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.kernels.math.scratch import Scratch

CHUNK_FLOATS = {"cpu": 1 << 20, "cuda": 1 << 25}
"""Numbers in memory per chunk, forward: what the caches hold (CPU, measured), what fills a device (GPU, not)."""


def edge_conv(
    x: Tensor,
    pos_src: Tensor,
    pos_dst: Tensor,
    neighbors: Neighbors,
    kernel: ContinuousKernel,
    weight: Tensor | None = None,
    dense: bool = False,
    chunk_edges: int | None = None,
    offsets: Callable[[], Tensor] | None = None,
) -> Tensor:
    r"""Depthwise (or dense) continuous convolution over given neighbours.

    .. math::
        y_c(p_i) = \sum_{j \in \mathcal N(i)} w_j \, k_c(p_i - p_j) \, x_c(p_j)

    Edges outside the kernel's support are dropped first. Targets are worked off in chunks of similar
    degree; nothing of a chunk is kept for the backward pass, which computes it again. With a C compiler
    (CPU) or Triton (CUDA), compiled code does the same for MAGNet, Gabor and Fourier kernels in float32
    (:mod:`ccnn_geo.functional.edge.compiled`); giving ``chunk_edges`` asks for the chunks. Under ``torch.compile`` that
    loop is one operator of the graph; where there is none, the graph has the formula, a kernel per edge.
    A dense kernel has :math:`C_{out} C` values and also sums over the input's channels.

    Args:
        x: Features of the sources.
        pos_src: Positions of the sources, any unit of length.
        pos_dst: Positions of the targets, same unit.
        neighbors: Which sources each target sees.
        kernel: The continuous kernel :math:`k`.
        weight: Quadrature weights :math:`w_j` of the sources; 1 by default.
        dense: Whether the kernel's values are a matrix :math:`[C_{out}, C]` instead of one per channel.
        chunk_edges: Edges (targets times neighbours) in memory at once; chosen by device by default.
        offsets: Gives what :func:`~ccnn_geo.functional.edge.chunks.edge_offsets` would compute; not always asked.

    Shapes:
        - **x:** :math:`(N, C)`; **pos_src:** :math:`(N, D)`; **pos_dst:** :math:`(M, D)`; **weight:** :math:`(N)`
        - **output:** :math:`(M, C)`, dense :math:`(M, C_{out})`

    Gradients are exact with respect to ``x``, both positions, ``weight`` and the kernel's parameters; for
    second derivatives use the plain message-passing form (``method="plain"``).
    """
    if chunk_edges is None and not dense:
        found = native_edge_conv(x, pos_src, pos_dst, neighbors, kernel, weight)
        if found is not None:
            return found
    if is_traced():  # chunks are read off numbers
        return _by_formula(x, pos_src, pos_dst, neighbors, kernel, weight, dense)
    if chunk_edges is None:
        floats = x.size(1) + 8 * kernel.network.basis_channels  # an edge's features and basis
        chunk_edges = max(1, CHUNK_FLOATS.get(x.device.type, CHUNK_FLOATS["cuda"]) // floats)
    rel = edge_offsets(pos_src, pos_dst, neighbors) if offsets is None else offsets()
    chunks, padded = plan_chunks(rel, neighbors, kernel, chunk_edges)
    if weight is not None:
        x = x * weight.unsqueeze(-1)
    if padded:  # what fills up short rows: a source of zeros
        x = torch.cat([x, x.new_zeros(1, x.size(1))])
    basis = edge_basis(kernel)
    contraction = Dense if dense else Depthwise
    return _EdgeConv.apply(
        basis, contraction, chunks, x, pos_src, pos_dst, kernel.output_weight(), *basis.tensors
    )


def _by_formula(
    x: Tensor,
    pos_src: Tensor,
    pos_dst: Tensor,
    neighbors: Neighbors,
    kernel: ContinuousKernel,
    weight: Tensor | None,
    dense: bool,
) -> Tensor:
    """All edges at once, for a compiler that makes its own fast code of it."""
    source, target = neighbors.edge_index
    if weight is not None:
        x = x * weight.unsqueeze(-1)
    values = kernel.definition(pos_dst.index_select(0, target) - pos_src.index_select(0, source))
    x = x.index_select(0, source)
    if dense:
        values = values.unflatten(-1, (-1, x.size(1)))
    values = torch.einsum("eoc,ec->eo" if dense else "ec,ec->ec", values, x)
    return values.new_zeros(pos_dst.size(0), values.size(1)).index_add(0, target, values)


class _EdgeConv(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        basis: EdgeBasis,
        contraction: type[Dense | Depthwise],
        chunks: Sequence[Chunk],
        x: Tensor,
        pos_src: Tensor,
        pos_dst: Tensor,
        output: Tensor,
        *tensors: Tensor,
    ) -> Tensor:
        ctx.basis, ctx.contraction, ctx.chunks = basis, contraction, chunks
        ctx.save_for_backward(x, pos_src, pos_dst, output, *tensors)
        state = basis.prepare(tensors, pos_src, pos_dst, chunks)
        channels = output.size(0) // x.size(1) if contraction is Dense else x.size(1)
        out = x.new_zeros(pos_dst.size(0), channels)
        scratch = Scratch(x)
        for c in chunks:
            values, _ = basis.forward(state, c, scratch)
            x_j = scratch.rows("x", x, c.src)
            shape = (c.rows.size(0), c.width)
            y = contraction.forward(x_j.unflatten(0, shape), values.unflatten(0, shape), output, scratch)
            out.index_copy_(0, c.rows, y)
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_order("edge_conv")
        with torch.autocast(grad_out.device.type, enabled=False):
            return _EdgeConv._backward(ctx, grad_out)

    @staticmethod
    def _backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        basis: EdgeBasis = ctx.basis
        contraction: type[Dense | Depthwise] = ctx.contraction
        x, pos_src, pos_dst, output, *tensors = ctx.saved_tensors
        need_x, need_src, need_dst, need_output, *need_tensors = ctx.needs_input_grad[3:]
        need = [need_src or need_dst, *need_tensors]
        state = basis.prepare(tensors, pos_src, pos_dst, ctx.chunks)
        grad_x = torch.zeros_like(x) if need_x else None
        grad_src = torch.zeros_like(pos_src) if need_src else None
        grad_dst = torch.zeros_like(pos_dst) if need_dst else None
        grad_output = torch.zeros_like(output)
        grads = [torch.zeros_like(t) if n else None for t, n in zip(tensors, need_tensors, strict=True)]

        scratch = Scratch(x)
        for c in ctx.chunks:
            shape = (c.rows.size(0), c.width)
            x_j = scratch.rows("x", x, c.src).unflatten(0, shape)
            values, saved = basis.forward(state, c, scratch, need)
            grad = grad_out.index_select(0, c.rows)
            part_x, grad_values, part_output = contraction.backward(
                grad, x_j, values.unflatten(0, shape), output, need_x, scratch
            )
            grad_output += part_output
            if grad_x is not None and part_x is not None:
                grad_x.index_add_(0, c.src, part_x.flatten(0, 1))
            if not any(need):
                continue
            grad_rel, *parts = basis.backward(
                state, c, saved, grad_values.reshape(values.shape), scratch, need
            )
            for total, part in zip(grads, parts, strict=True):
                if total is not None and part is not None:
                    total += part
            if grad_rel is None:
                continue
            if grad_src is not None:  # what fills up short rows has no features, hence no gradient
                grad_src.index_add_(0, c.src.clamp(max=pos_src.size(0) - 1), grad_rel.mT, alpha=-1)
            if grad_dst is not None:
                grad_dst[c.rows] = grad_rel.unflatten(1, shape).sum(dim=2).mT
        return None, None, None, grad_x, grad_src, grad_dst, grad_output if need_output else None, *grads
