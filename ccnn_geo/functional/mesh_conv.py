"""Convolution over all points of each cloud in N log N: spread to a lattice, FFT, gather."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ccnn_geo.continuous_kernel import ContinuousKernel
from ccnn_geo.functional.mesh_geometry import MeshGeometry, check_cells
from ccnn_geo.functional.mesh_sum import FADE_PER_ORDER, MeshSum, padded_size
from ccnn_geo.kernels.base import GAUSSIAN_STDDEVS

ORDER = 6
OVERSAMPLING = 2.0


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
) -> Tensor:
    r"""Depthwise continuous convolution over all points of each cloud.

    .. math::
        y(p_i) = \sum_j w_j \, k(p_i - p_j) \, x(p_j)
    """
    band = kernel_band(kernel).tolist()
    if geometry is None:
        if spacing is None:
            spacing = mesh_spacing(kernel, oversampling)
        geometry = MeshGeometry.build(pos_src, pos_dst, spacing, order, batch_src, batch_dst, batch_size)
    check_spacing(geometry.spacing, band)
    if weight is not None:
        x = x * weight.unsqueeze(-1)
    spacing, size = geometry.spacing, geometry.size
    support = [s / h for s, h in zip(kernel.support().tolist(), spacing, strict=True)]
    margin = FADE_PER_ORDER * geometry.order
    reach = [int(min(s, max(n - 1 + margin, 0))) for s, n in zip(support, size, strict=True)]
    for group in geometry.groups:
        check_cells(padded_size(group.size, reach, margin), spacing, "a cloud, padded by the kernel's reach,")
    axes = [
        torch.arange(-r, r + 1, dtype=x.dtype, device=x.device) * h
        for r, h in zip(reach, spacing, strict=True)
    ]
    taps = kernel(torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)).movedim(-1, 0)
    cut = [r + 1 <= s for r, s in zip(reach, support, strict=True)]
    with torch.autocast(x.device.type, enabled=False):
        return MeshSum.apply(geometry, cut, x, taps.to(x.dtype), geometry.coords_src, geometry.coords_dst)


@torch.no_grad()
def kernel_band(kernel: ContinuousKernel) -> Tensor:
    band = kernel.max_frequency()
    if kernel.window is not None:
        band = band + GAUSSIAN_STDDEVS / (kernel.window.width * kernel.radius)
    return band


def mesh_spacing(kernel: ContinuousKernel, oversampling: float = OVERSAMPLING) -> tuple[float, ...]:
    band = kernel_band(kernel).tolist()
    if not all(map(math.isfinite, band)):
        raise ValueError("infinite")
    return tuple(math.pi / (oversampling * b) for b in band)


def check_spacing(spacing: Sequence[float], band: Sequence[float]) -> None:
    for d, (h, b) in enumerate(zip(spacing, band, strict=True)):
        if math.isfinite(b) and h > math.pi / b * (1 + 1e-6):
            raise ValueError(
                f"mesh_conv: spacing {h:.4g} of axis {d} carries frequencies up to {math.pi / h:.4g} rad per unit, the "
                f"kernel has up to {b:.4g}: expected a spacing of at most {math.pi / b:.4g}"
            )


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
    **options,
) -> float:
    if pos_dst is None:
        pos_dst, batch_dst = pos_src, batch_src
    chosen = torch.randperm(pos_dst.size(0), device=pos_dst.device)[:samples]
    pos_dst = pos_dst[chosen]
    batch_dst = None if batch_dst is None else batch_dst[chosen]
    actual = mesh_conv(x, pos_src, pos_dst, kernel, batch_src, batch_dst, weight=weight, **options).double()
    exact = copy.deepcopy(kernel).double()
    if weight is not None:
        x = x * weight.unsqueeze(-1)
    x, pos_src, pos_dst = x.double(), pos_src.double(), pos_dst.double()
    expected = torch.zeros_like(actual)
    clouds = [None] if batch_dst is None else batch_dst.unique().tolist()
    for cloud in clouds:
        rows = slice(None) if cloud is None else batch_dst == cloud
        cols = slice(None) if cloud is None else batch_src == cloud
        sources, features = pos_src[cols], x[cols]
        targets = pos_dst[rows]
        total = torch.zeros(targets.size(0), x.size(1), dtype=x.dtype, device=x.device)
        step = max(1, (1 << 22) // max(1, targets.size(0) * x.size(1)))
        for p, f in zip(sources.split(step), features.split(step), strict=True):
            total += torch.einsum("mnc,nc->mc", exact(targets.unsqueeze(1) - p), f)
        expected[rows] = total
    return ((actual - expected).norm() / expected.norm()).item()
