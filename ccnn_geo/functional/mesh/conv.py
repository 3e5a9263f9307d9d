"""Convolution over all points of each cloud in N log N: spread to a lattice, FFT, gather."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo.functional.edge.kernel_values import kernel_values
from ccnn_geo.functional.mesh.band import OVERSAMPLING, check_spacing, mesh_spacing, window_support
from ccnn_geo.functional.mesh.geometry import MeshGeometry, check_cells
from ccnn_geo.functional.mesh.sum import MeshSum, fade_margin, padded_size, recall
from ccnn_geo.kernels.continuous import DOMAIN_TOLERANCE, ContinuousKernel

ORDER = 6
"""FFTs take most of the time, so a high order costs less than a fine lattice. Order 4 does not reach errors below
1e-3 at an oversampling of 2 (``python -m ccnn_geo.experiments.benchmarks.mesh_accuracy --order 4``)."""

MAX_TAP_FLOATS = 1 << 28
"""Largest rendered kernel, basis and channels: 1 GB in float32, several times as much with tensors of autograd."""

PAIR_FLOATS = 1 << 22
"""Kernel values in memory at once in :func:`mesh_error`."""


def mesh_conv(
    x: Tensor,
    pos_src: Tensor,
    pos_dst: Tensor | None,
    kernel: ContinuousKernel,
    batch_src: Tensor | None = None,
    batch_dst: Tensor | None = None,
    batch_size: int | None = None,
    spacing: Sequence[float] | None = None,
    order: int = ORDER,
    oversampling: float = OVERSAMPLING,
    geometry: MeshGeometry | None = None,
    weight: Tensor | None = None,
    memory: dict[Hashable, Tensor] | None = None,
) -> Tensor:
    r"""Depthwise continuous convolution over all points of each cloud, on a lattice.

    .. math::
        y(p_i) = \sum_j w_j \, k(p_i - p_j) \, x(p_j)
               \approx \sum_n W_{in} \sum_m \tilde k_{n - m} \sum_j W_{jm} \, w_j \, x_j

    with B-splines :math:`W_{jn} = \prod_d N(p_{jd} / h_d - n_d)` and :math:`\tilde k` the kernel at lattice
    offsets, divided twice by the splines' spectrum in Fourier space. Each cloud has its own lattice around its
    sources and targets, padded by the kernel's reach. The error falls with the order, and with the oversampling of
    the kernel's band limit. Without a band limit (a window or a domain that ends with a jump, a causal kernel) it
    stays at the size of the jump. :func:`mesh_error` measures it.

    Args:
        x: Features of the sources.
        pos_src: Positions of the sources, any unit of length.
        pos_dst: Positions of the targets, same unit; ``None`` for the same points.
        kernel: The continuous kernel :math:`k`, one value per channel.
        batch_src: Cloud of each source; one cloud by default.
        batch_dst: Cloud of each target.
        batch_size: Number of clouds.
        spacing: Spacing :math:`h` of the lattice per axis; by default
            :func:`~ccnn_geo.functional.mesh.band.mesh_spacing`.
        order: Order of the B-splines, the number of cells around a point per axis.
        oversampling: Ratio of the lattice's highest frequency to the kernel's, if no spacing is given.
        geometry: Result of :meth:`MeshGeometry.build` for positions, batches, spacing and order. These arguments are
            then ignored, and the spacing is not checked against the kernel (use
            :func:`~ccnn_geo.functional.mesh.band.check_spacing`). Layers with the same spacing may share a geometry.
        weight: Quadrature weights :math:`w_j` of the sources; 1 by default.
        memory: Cache for kernel values, for further calls with the same kernel and spacing.

    Shapes:
        - **x:** :math:`(N, C)`; **pos_src:** :math:`(N, D)`; **pos_dst:** :math:`(M, D)`; **weight:** :math:`(N)`
        - **output:** :math:`(M, C)`

    Gradients with respect to ``x``, positions, ``weight`` and the kernel's parameters are exact derivatives of the
    computed sum; the lattice's spacing is a constant. There are first derivatives only.

    Raises:
        ValueError: If the kernel's band limit does not fit the lattice, the lattice exceeds the budget
            (:data:`~ccnn_geo.functional.mesh.geometry.MAX_CELLS`), or shapes do not fit.

    Source: Essmann et al., 1995 (smooth particle mesh Ewald); Hockney and Eastwood, 1981.
    """
    if x.dim() != 2 or x.size(1) != kernel.out_channels:
        raise ValueError(f"mesh_conv: expected x [N, {kernel.out_channels}], got {list(x.shape)}")
    if geometry is None:
        if spacing is None:
            spacing = mesh_spacing(kernel, oversampling)
        else:
            check_spacing(kernel, spacing)
        geometry = MeshGeometry.build(pos_src, pos_dst, spacing, order, batch_src, batch_dst, batch_size)
    if x.size(0) != geometry.coords_src.size(0):
        raise ValueError(
            f"mesh_conv: expected x of {geometry.coords_src.size(0)} sources, got {list(x.shape)}"
        )
    if weight is not None:
        x = x * weight.unsqueeze(-1)
    with torch.autocast(x.device.type, enabled=False):
        support, reach = _taps_in_reach(kernel, geometry, memory)
        taps = recall(
            memory, tuple(reach), lambda: _render(kernel, geometry.spacing, support(), reach).to(x.dtype)
        )
        return MeshSum.apply(geometry, memory, x, taps, geometry.coords_src, geometry.coords_dst)


def _taps_in_reach(
    kernel: ContinuousKernel, geometry: MeshGeometry, memory: dict[Hashable, Tensor] | None
) -> tuple[Callable[[], Tensor], list[int]]:
    """A function for half the side of the box of taps ``[D]``, and its size in cells: the largest offset and a margin.

    The host asks for all bounds at once, and of a kernel that does not change only once.
    """
    spacing, margin = geometry.spacing, fade_margin(geometry.order)

    def bounds() -> Tensor:
        return torch.stack([kernel.domain, kernel.support(), window_support(kernel)])

    domain, inner, outer = recall(memory, "bounds", lambda: bounds().cpu()).tolist()
    # A domain that no pair of points leaves is no end of the kernel, only a jump among the taps.
    occurs = [e > b * (1 + DOMAIN_TOLERANCE) for e, b in zip(geometry.extent, domain, strict=True)]
    support = [i if o else w for o, i, w in zip(occurs, inner, outer, strict=True)]
    cells = [s / h for s, h in zip(support, spacing, strict=True)]
    reach = [int(min(s, max(n - 1 + margin, 0))) for s, n in zip(cells, geometry.size, strict=True)]
    for group in geometry.groups:
        check_cells(padded_size(group.size, reach, margin), spacing, "a cloud, padded by the kernel's reach,")
    floats = math.prod(2 * r + 1 for r in reach) * (kernel.network.basis_channels + kernel.out_channels)
    if floats > MAX_TAP_FLOATS:
        raise ValueError(
            f"mesh_conv: the kernel reaches {reach} cells to each side, {floats:.3g} numbers with its basis, above the "
            f"budget of {MAX_TAP_FLOATS}; give a coarser spacing, a smaller window, or a window if there is none"
        )

    def chosen() -> Tensor:
        _, within, beyond = bounds().unbind()
        return torch.stack([(within if o else beyond)[d] for d, o in enumerate(occurs)])

    return chosen, reach


def _render(
    kernel: ContinuousKernel, spacing: Sequence[float], support: Tensor, reach: Sequence[int]
) -> Tensor:
    """Kernel at lattice offsets, ``[C, *K]``."""
    axes = [
        torch.arange(-r, r + 1, dtype=torch.float64, device=support.device) * h
        for r, h in zip(reach, spacing, strict=True)
    ]
    rel = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).to(kernel.network.output.weight)
    return kernel_values(kernel, rel, support).movedim(-1, 0)


@torch.no_grad()
def mesh_error(
    x: Tensor,
    pos_src: Tensor,
    pos_dst: Tensor | None,
    kernel: ContinuousKernel,
    batch_src: Tensor | None = None,
    batch_dst: Tensor | None = None,
    weight: Tensor | None = None,
    samples: int = 256,
    **options: Any,
) -> float:
    r"""Relative error of :func:`mesh_conv` against the float64 sum over all pairs, at random targets.

    .. math::
        \sqrt{\textstyle\sum_i \|y_i - y^*_i\|^2 \,/\, \sum_i \|y^*_i\|^2}

    Takes O(samples N) time and little memory.

    Args:
        x: Features of the sources.
        pos_src: Positions of the sources.
        pos_dst: Positions of the targets; by default the sources.
        kernel: The continuous kernel.
        batch_src: Cloud of each source.
        batch_dst: Cloud of each target.
        weight: Quadrature weights of the sources.
        samples: Number of targets.
        options: Other arguments of :func:`mesh_conv`, except ``geometry``: spacing, order, oversampling.
    """
    if pos_dst is None:
        pos_dst, batch_dst = pos_src, batch_src
    chosen = torch.randperm(pos_dst.size(0), device=pos_dst.device)[:samples]
    pos_dst = pos_dst[chosen]
    batch_dst = None if batch_dst is None else batch_dst[chosen]
    actual = mesh_conv(x, pos_src, pos_dst, kernel, batch_src, batch_dst, weight=weight, **options).double()

    kernel = copy.deepcopy(kernel).double()
    x = x.double() if weight is None else x.double() * weight.double().unsqueeze(-1)
    pos_src, pos_dst = pos_src.double(), pos_dst.double()
    expected = torch.zeros_like(actual)
    for cloud in [None] if batch_dst is None else batch_dst.unique().tolist():
        rows = slice(None) if cloud is None else batch_dst == cloud
        cols = slice(None) if cloud is None else batch_src == cloud
        targets, total = pos_dst[rows], expected[rows]
        step = max(1, PAIR_FLOATS // max(1, total.numel()))
        for p, features in zip(pos_src[cols].split(step), x[cols].split(step), strict=True):
            total += torch.einsum("mnc,nc->mc", kernel(targets.unsqueeze(1) - p), features)
        expected[rows] = total
    return ((actual - expected).norm() / expected.norm()).item()
