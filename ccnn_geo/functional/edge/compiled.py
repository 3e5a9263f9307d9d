"""The edge convolution with a MAGNet kernel as one compiled function, its derivatives included."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo._base.native.build import has_native
from ccnn_geo.functional.edge.basis import magnet_basis
from ccnn_geo.functional.edge.compiled_op import edge_kernel, edge_magnet
from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.kernels.continuous import ContinuousKernel

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
    box, *tensors = found
    return edge_magnet(neighbors.edge_index, neighbors.ptr, box, x, [pos_src, pos_dst, *tensors])


def native_kernel(kernel: ContinuousKernel, rel: Tensor, support: Tensor | None = None) -> Tensor | None:
    """Kernel values at offsets ``[U, D]``, ``[U, C]``, or ``None`` as above; nothing of an offset is kept.

    They are what a point with features of one sends along an edge to each offset.
    """
    found = _packed(kernel, support) if rel.dtype == torch.float32 and rel.device.type == "cpu" else None
    if found is None:
        return None
    numbers = torch.arange(rel.size(0) + 1)
    edges = torch.stack([torch.zeros_like(numbers), numbers])[:, :-1]
    x, pos = rel.new_ones(1, kernel.out_channels), rel.new_zeros(1, kernel.dim)
    box, *tensors = found
    return edge_kernel(edges, numbers, box, x, [pos, rel, *tensors])


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
