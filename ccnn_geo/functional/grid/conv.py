"""Depthwise and dense convolution on a lattice: by FFT or directly, whichever is cheaper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ccnn_geo._base.device_costs import fft_cost
from ccnn_geo.functional.grid.direct import DIRECT_CONVS, direct_conv
from ccnn_geo.functional.grid.fft import FFTPlan, fast_length, fft_conv, kernel_spectrum, plan_fft


def grid_conv(x: Tensor, kernel: Tensor, center: Sequence[int], method: str = "auto") -> Tensor:
    r"""Convolution of a grid with a rendered kernel; the output has the input's size.

    .. math::
        y[n] = \sum_{t} k[t] \, x[n - (t - m)]

    with :math:`m` the index of the kernel's tap at offset zero, and :math:`x` zero outside the grid.

    Args:
        x: Input grid.
        kernel: Kernel taps, per channel (depthwise) or per pair of channels (dense).
        center: Index :math:`m` per axis: 0 for a causal kernel, half of the size for a centred one.
        method: ``"fft"``, ``"direct"``, or ``"auto"``.

    Shapes:
        - **x:** :math:`(B, C, *S)`
        - **kernel:** :math:`(C, *K)` or :math:`(C_{out}, C, *K)`
        - **output:** :math:`(B, C, *S)` or :math:`(B, C_{out}, *S)`

    Raises:
        ValueError: If the shapes do not fit or the method is unknown.
    """
    dim = x.dim() - 2
    depthwise = kernel.dim() == dim + 1
    if dim not in DIRECT_CONVS or kernel.dim() not in (dim + 1, dim + 2):
        raise ValueError(
            "grid_conv: expected x [B, C, *S] of 1 to 3 axes and a kernel [C, *K] or [C_out, C, *K], "
            f"got {list(x.shape)} and {list(kernel.shape)}"
        )
    if kernel.size(0 if depthwise else 1) != x.size(1):
        raise ValueError(
            f"grid_conv: kernel {list(kernel.shape)} does not fit the channels of x {list(x.shape)}"
        )
    if method not in ("auto", "fft", "direct"):
        raise ValueError(f"grid_conv: expected method 'auto', 'fft' or 'direct', got {method!r}")
    return apply_kernel(x, prepare_kernel(kernel, x.shape[2:], center, method))


@dataclass(frozen=True)
class GridKernel:
    """A rendered kernel, and how to convolve a grid of one size with it.

    ``taps`` are ``[C, *K]`` or ``[C_out, C, *K]``; with FFT there is a plan, and constant taps have a spectrum.
    """

    taps: Tensor
    center: tuple[int, ...]
    plan: FFTPlan | None = None
    spectrum: Tensor | None = None


def prepare_kernel(
    kernel: Tensor, size: Sequence[int], center: Sequence[int], method: str = "auto", constant: bool = False
) -> GridKernel:
    """Does everything in :func:`grid_conv` that does not depend on the input: chooses a path, transforms constants.

    Args:
        kernel: Taps of the kernel.
        size: Size of the grid.
        center: Index of the tap at offset zero.
        method: As in :func:`grid_conv`.
        constant: Whether the kernel serves many calls and does not learn.
    """
    center = tuple(center)
    depthwise = kernel.dim() == len(size) + 1
    plan = plan_fft(kernel if depthwise else kernel[0], size, center, native=depthwise)
    if method == "auto":
        fft = fft_is_cheaper(size, plan.taps, plan.native, str(kernel.device))
        method = "fft" if fft else "direct"
    if method == "direct":
        return GridKernel(kernel, center)
    if not plan.native:  # compiled code takes taps as rendered
        kernel = kernel.contiguous()
    return GridKernel(kernel, center, plan, kernel_spectrum(kernel, plan) if constant else None)


def apply_kernel(x: Tensor, kernel: GridKernel) -> Tensor:
    """Convolves a grid ``[B, C, *S]`` of the size for which the kernel was prepared."""
    depthwise = kernel.taps.dim() == x.dim() - 1
    if kernel.plan is None:
        return _direct_conv(x, kernel, depthwise)
    convolve = fft_conv if depthwise else _dense_fft_conv
    return convolve(x, kernel.taps, kernel.plan, kernel.spectrum)


def fft_is_cheaper(
    size: Sequence[int], taps: Sequence[int], compiled: bool = False, device: str = "cpu"
) -> bool:
    """Compares the measured cost of both ways for one channel on a device, sizes ``S`` and ``K``."""
    lengths = [fast_length(s + k) for s, k in zip(size, taps, strict=True)]
    points = math.prod(lengths)
    fft = fft_cost(device, compiled) * points * math.log2(points)
    return fft < math.prod(size) * math.prod(taps)


def _dense_fft_conv(x: Tensor, taps: Tensor, plan: FFTPlan, spectrum: Tensor | None) -> Tensor:
    axes, lengths = tuple(range(2 - x.dim(), 0)), plan.lengths
    if spectrum is None:
        spectrum = kernel_spectrum(taps, plan)
    product = torch.einsum("bc...,oc...->bo...", torch.fft.rfftn(x, s=lengths, dim=axes), spectrum)
    out = torch.fft.irfftn(product, s=lengths, dim=axes)
    for axis, m in zip(axes, plan.center, strict=True):
        out = out.narrow(axis, m, x.size(axis))
    return out


def _direct_conv(x: Tensor, kernel: GridKernel, depthwise: bool) -> Tensor:
    dim = x.dim() - 2
    axes, center = tuple(range(-dim, 0)), kernel.center
    weight = kernel.taps.flip(axes)  # the library's convolution is a correlation
    if depthwise:
        weight = weight.unsqueeze(1)
    groups = x.size(1) if depthwise else 1
    before = [k - 1 - m for k, m in zip(kernel.taps.shape[-dim:], center, strict=True)]
    if before == list(center):
        return direct_conv(x, weight, before, groups)
    # output n reads x[n - (K - 1 - m)] ... x[n + m]; the causal case has m = 0
    pads = [p for b, m in zip(reversed(before), reversed(center), strict=True) for p in (b, m)]
    return direct_conv(F.pad(x, pads), weight, [0] * dim, groups)
