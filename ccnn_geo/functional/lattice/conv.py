"""Exact convolution on a lattice: a kernel per distinct offset instead of one per edge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from ccnn_geo.functional.edge.compiled import has_compiled, native_kernel
from ccnn_geo.functional.edge.kernel_values import kernel_values
from ccnn_geo.functional.first_order import refuse_second_order
from ccnn_geo.functional.lattice.compiled import native_lattice_conv
from ccnn_geo.functional.lattice.offsets import LatticeOffsets
from ccnn_geo.kernels.continuous import ContinuousKernel

CHUNK_FLOATS = {"cpu": 1 << 19, "cuda": 1 << 24}
"""Numbers in the buffer of a chunk: the size of the caches (CPU, measured), enough to fill a GPU (not measured)."""
BLOCK_OFFSETS = 1 << 12
"""Offsets rendered at once: the size of the caches (CPU, measured)."""
SORTED_SCATTER = "fbgemm" in torch.backends.quantized.supported_engines
"""Whether scatter_add of whole rows is parallel; otherwise it adds number by number."""


def is_fused(*tensors: Tensor) -> bool:
    """Whether a Triton program computes the sum: on CUDA, in float32, where there is Triton."""
    return all(t.is_cuda and t.dtype == torch.float32 for t in tensors) and has_compiled("cuda")


def lattice_conv(x: Tensor, table: Tensor, offsets: LatticeOffsets, chunk_edges: int | None = None) -> Tensor:
    r"""Depthwise continuous convolution with the kernel given at the distinct offsets.

    .. math::
        y_c(p_i) = \sum_{j \in \mathcal N(i)} T_{u(i, j),\, c} \; x_c(p_j), \qquad T_u = k(r_u)

    Edges are processed in runs of equal offset, so that a row of the table is read once per run. Nothing is kept per
    edge for the backward pass. Quadrature weights are part of ``x``.

    Args:
        x: Features of the sources.
        table: The kernel at ``offsets.rel``, for instance from :func:`render`.
        offsets: The edges, grouped by offset.
        chunk_edges: Edges in memory at once. By default one compiled loop computes the sum if available; otherwise
            the number depends on the device.

    Shapes:
        - **x:** :math:`(N, C)`; **table:** :math:`(U, C)`
        - **output:** :math:`(M, C)`

    Gradients are exact with respect to ``x`` and ``table``, and through ``table`` to the kernel's parameters.
    There are no second derivatives, and none with respect to positions.

    Raises:
        ValueError: If the shapes do not fit the offsets.
    """
    if x.dim() != 2 or x.size(0) != offsets.num_src:
        raise ValueError(f"lattice_conv: expected x [{offsets.num_src}, C], got {list(x.shape)}")
    if table.shape != (offsets.num_offsets, x.size(1)):
        raise ValueError(
            f"lattice_conv: expected a table [{offsets.num_offsets}, {x.size(1)}], got {list(table.shape)}"
        )
    if chunk_edges is None:
        if is_fused(x, table):
            from ccnn_geo.functional.lattice.fused.launch import lattice_sums

            return lattice_sums(x, table, *offsets.lists())
        found = native_lattice_conv(x, table, offsets.runs, offsets.num_dst)
        if found is not None:
            return found
        floats = CHUNK_FLOATS.get(x.device.type, CHUNK_FLOATS["cuda"])
        chunk_edges = max(1, floats // max(1, x.size(1)))
    return _LatticeConv.apply(x, table, offsets, chunk_edges)


def render(kernel: ContinuousKernel, offsets: LatticeOffsets) -> tuple[Tensor, LatticeOffsets]:
    """Renders the kernel at all offsets in its support, ``[U', C]`` with gradients, and returns those offsets too.

    Blocks of offsets are rendered again in the backward pass, so that only the table is kept.
    """
    offsets = offsets.only(kernel.inside(offsets.rel))
    compiled = native_kernel(kernel, offsets.rel)
    if compiled is not None:
        return compiled, offsets
    values = _Values(kernel)
    # as arguments: when a block is rendered again, it must see the parameters of torch.func.functional_call
    names, params = zip(*values.named_parameters(), strict=True)

    def block(rel: Tensor, *params: Tensor) -> Tensor:
        return functional_call(values, dict(zip(names, params, strict=True)), (rel,))

    rows = [
        checkpoint(block, rel, *params, use_reentrant=False, preserve_rng_state=False)
        for rel in offsets.rel.split(BLOCK_OFFSETS)
    ]
    return torch.cat(rows), offsets


class _Values(nn.Module):
    """Kernel values at offsets that are known to lie in the support."""

    def __init__(self, kernel: ContinuousKernel) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, rel: Tensor) -> Tensor:
        return self.kernel.basis_inside(rel) @ self.kernel.output_weight().mT


@torch.no_grad()
def render_missing(
    kernel: ContinuousKernel, offsets: LatticeOffsets, keys: Tensor, rows: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The kernel at all offsets ``[U, C]`` without gradients; renders only unknown ones.

    Args:
        kernel: The continuous kernel.
        offsets: Offsets on the same lattice as the known ones.
        keys: ``offsets.keys`` of the known offsets, ascending.
        rows: The kernel at the known offsets.

    Shapes:
        - **keys:** :math:`(V)` int64; **rows:** :math:`(V, C)`
        - **output:** the table :math:`(U, C)`, and keys and rows including the new ones
    """
    wanted = offsets.keys
    unknown = ~torch.isin(wanted, keys)
    if bool(unknown.any()):
        keys, order = torch.cat([keys, wanted[unknown]]).sort()
        rows = torch.cat([rows, kernel_values(kernel, offsets.rel[unknown])]).index_select(0, order)
    return rows.index_select(0, torch.searchsorted(keys, wanted)), keys, rows


class _LatticeConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, offsets: LatticeOffsets, chunk_edges: int) -> Tensor:
        ctx.offsets, ctx.chunk_edges = offsets, chunk_edges
        ctx.save_for_backward(x, table)
        out = x.new_zeros(offsets.num_dst, x.size(1))
        for index, src, dst in _chunks(offsets, chunk_edges):
            _add_rows(out, dst, table.index_select(0, index).mul_(x.index_select(0, src)))
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_order("lattice_conv")
        x, table = ctx.saved_tensors
        need_x, need_table = ctx.needs_input_grad[:2]
        grad_out = grad_out.contiguous()
        grad_x = torch.zeros_like(x, memory_format=torch.contiguous_format) if need_x else None
        grad_table = torch.zeros_like(table, memory_format=torch.contiguous_format) if need_table else None
        for index, src, dst in _chunks(ctx.offsets, ctx.chunk_edges):
            grad = grad_out.index_select(0, dst)
            if grad_x is not None:
                _add_rows(grad_x, src, table.index_select(0, index).mul_(grad))
            if grad_table is not None:
                _add_rows(grad_table, index, grad.mul_(x.index_select(0, src)))
        return grad_x, grad_table, None, None


def _chunks(offsets: LatticeOffsets, chunk_edges: int) -> Iterable[tuple[Tensor, ...]]:
    parts = (t.split(chunk_edges) for t in offsets.runs.edges)
    return zip(*parts, strict=True) if offsets.num_edges > 0 else ()


def _add_rows(out: Tensor, index: Tensor, rows: Tensor) -> None:
    """Adds ``rows [E, C]`` to the rows ``index [E]`` of ``out``."""
    index = index.long()  # adding by int32 takes twice as long
    if SORTED_SCATTER and rows.device.type == "cpu" and rows.size(1) >= 16:
        out.scatter_add_(0, index.unsqueeze(1).expand_as(rows), rows)
    else:
        out.index_add_(0, index, rows)
