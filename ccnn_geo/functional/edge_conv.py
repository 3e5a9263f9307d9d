"""Exact convolution over neighbours in the memory of one chunk of targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ccnn_geo.continuous_kernel import ContinuousKernel
from ccnn_geo.neighbors import Neighbors

CHUNK_FLOATS = {"cpu": 3 << 20, "cuda": 1 << 25}
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
) -> Tensor:
    r"""Depthwise (or dense) continuous convolution over given neighbours.

    .. math::
        y_c(p_i) = \sum_{j \in \mathcal N(i)} w_j \, k_c(p_i - p_j) \, x_c(p_j)
                 = \sum_h W_{ch} \sum_{j \in \mathcal N(i)} w_j \, \varphi_h(p_i - p_j) \, x_c(p_j)

    Edges outside the kernel's support are dropped first. Targets are worked off in chunks of similar
    degree; nothing of a chunk is kept for the backward pass, which computes it again. Where targets have
    more neighbours than the basis has functions, the sum is taken before the output layer (second form).
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

    Shapes:
        - **x:** :math:`(N, C)`; **pos_src:** :math:`(N, D)`; **pos_dst:** :math:`(M, D)`; **weight:** :math:`(N)`
        - **output:** :math:`(M, C)`, dense :math:`(M, C_{out})`

    Gradients are exact with respect to ``x``, both positions, ``weight`` and the kernel's parameters; for
    second derivatives use the plain message-passing form (``method="plain"``).
    """
    if chunk_edges is None:
        floats = x.size(1) + 8 * kernel.network.basis_channels  # an edge's features and basis
        chunk_edges = max(1, CHUNK_FLOATS.get(x.device.type, CHUNK_FLOATS["cuda"]) // floats)
    chunks = plan_chunks(pos_src, pos_dst, neighbors, kernel, chunk_edges)
    contraction = _Contraction(kernel, dense)
    names, params = zip(*contraction.named_parameters(), strict=True)
    return _EdgeConv.apply(contraction, chunks, names, x, pos_src, pos_dst, weight, *params)


@dataclass(frozen=True)
class Chunk:
    """Targets ``rows [T]`` with their sources ``src [T, K]``; ``valid [T, K]`` marks padding, if there is any."""

    rows: Tensor
    src: Tensor
    valid: Tensor | None


@torch.no_grad()
def plan_chunks(
    pos_src: Tensor, pos_dst: Tensor, neighbors: Neighbors, kernel: ContinuousKernel, chunk_edges: int
) -> list[Chunk]:
    """Drops edges outside the support and packs targets of similar degree into padded chunks."""
    src, dst = neighbors.edge_index
    kept = [
        kernel.inside(pos_dst[d] - pos_src[s])
        for s, d in zip(src.split(1 << 22), dst.split(1 << 22), strict=True)
    ]
    keep = torch.cat(kept) if kept else src.new_empty(0, dtype=torch.bool)
    ptr = torch.cat([keep.new_zeros(1, dtype=torch.long), keep.cumsum(0)])[neighbors.ptr]
    src = src[keep]
    degree, order = ptr.diff().sort(descending=True, stable=True)

    degrees = degree.tolist()  # the one synchronisation with the device
    chunks, start = [], 0
    while start < len(degrees) and degrees[start] > 0:
        widest = degrees[start]
        stop = min(start + max(1, chunk_edges // widest), len(degrees))
        rows = order[start:stop]
        slots = torch.arange(widest, device=src.device)
        index = ptr[rows].unsqueeze(1) + slots
        valid = None
        if degrees[stop - 1] < widest:
            valid = slots < degree[start:stop].unsqueeze(1)
            index = torch.where(valid, index, 0)
        chunks.append(Chunk(rows, src[index], valid))
        start = stop
    return chunks


class _Contraction(nn.Module):
    """One chunk, differentiable: features of the sources and offsets to sums over the neighbours."""

    def __init__(self, kernel: ContinuousKernel, dense: bool) -> None:
        super().__init__()
        self.kernel = kernel
        self.dense = dense

    def out_channels(self, in_channels: int) -> int:
        return self.kernel.out_channels // in_channels if self.dense else in_channels

    def forward(self, x: Tensor, rel: Tensor, weight: Tensor | None, valid: Tensor | None) -> Tensor:
        basis, output = self.kernel.basis_inside(rel), self.kernel.output_weight()
        if weight is not None:
            basis = basis * weight.unsqueeze(-1)
        if valid is not None:
            basis = basis * valid.unsqueeze(-1)
        if self.dense:
            moments = torch.bmm(x.mT, basis).flatten(1)
            return moments @ output.reshape(-1, moments.size(1)).mT
        if rel.size(1) <= basis.size(-1):
            return ((basis @ output.mT) * x).sum(dim=1)
        return (torch.bmm(x.mT, basis) * output).sum(dim=-1)


class _EdgeConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, contraction, chunks, names, x, pos_src, pos_dst, weight, *params):
        ctx.contraction, ctx.chunks, ctx.names = contraction, chunks, names
        ctx.save_for_backward(x, pos_src, pos_dst, weight, *params)
        values = dict(zip(names, params, strict=True))
        out = x.new_zeros(pos_dst.size(0), contraction.out_channels(x.size(1)))
        for c in chunks:
            rel = pos_dst[c.rows].unsqueeze(1) - pos_src[c.src]
            w = None if weight is None else weight[c.src]
            out[c.rows] = functional_call(contraction, values, (x[c.src], rel, w, c.valid))
        return out

    @staticmethod
    def backward(ctx, grad_out):
        if torch.is_grad_enabled():
            raise RuntimeError(
                "edge_conv has first derivatives only: for create_graph=True use method='plain'"
            )
        with torch.autocast(grad_out.device.type, enabled=False):
            return _EdgeConv._backward(ctx, grad_out)

    @staticmethod
    def _backward(ctx, grad_out):
        x, pos_src, pos_dst, weight, *params = ctx.saved_tensors
        need_x, need_src, need_dst, need_weight, *need_params = ctx.needs_input_grad[3:]
        need_rel = need_src or need_dst
        leaves = [p.detach().requires_grad_(need) for p, need in zip(params, need_params, strict=True)]
        values = dict(zip(ctx.names, leaves, strict=True))
        grads = [torch.zeros_like(t) if need else None for t, need in zip(params, need_params, strict=True)]
        grad_x = torch.zeros_like(x) if need_x else None
        grad_src = torch.zeros_like(pos_src) if need_src else None
        grad_dst = torch.zeros_like(pos_dst) if need_dst else None
        grad_weight = torch.zeros_like(weight) if need_weight else None

        for c in ctx.chunks:
            x_j = x[c.src].requires_grad_(need_x)
            rel = (pos_dst[c.rows].unsqueeze(1) - pos_src[c.src]).requires_grad_(need_rel)
            w = None if weight is None else weight[c.src].requires_grad_(need_weight)
            with torch.enable_grad():
                out = functional_call(ctx.contraction, values, (x_j, rel, w, c.valid))
            wanted = [t for t in (x_j, rel, w, *leaves) if t is not None and t.requires_grad]
            found = iter(torch.autograd.grad(out, wanted, grad_out[c.rows], allow_unused=True))
            flat = c.src.flatten()
            if need_x:
                grad_x.index_add_(0, flat, next(found).flatten(0, 1))
            if need_rel:
                grad_rel = next(found)
                if need_src:
                    grad_src.index_add_(0, flat, grad_rel.flatten(0, 1), alpha=-1)
                if need_dst:
                    grad_dst[c.rows] = grad_rel.sum(dim=1)
            if need_weight:
                grad_weight.index_add_(0, flat, next(found).flatten())
            for total, need in zip(grads, need_params, strict=True):
                part = next(found) if need else None
                if part is not None:
                    total.add_(part)
        return None, None, None, grad_x, grad_src, grad_dst, grad_weight, *grads
