"""Depthwise convolution of a grid by FFT, without keeping spectra for the backward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.operators import differentiable
from ccnn_geo.functional.grid.fft_compiled import (
    like_taps,
    native_fft,
    native_fft_backward,
    native_lengths,
    native_spectrum,
)

CHUNK_FLOATS = {"cpu": 1 << 21, "cuda": 1 << 27}
"""Numbers in the transforms of a chunk of channels: the size of the last cache (CPU); not measured for GPUs."""


class FFTPlan(NamedTuple):
    """How to convolve a grid of one size with a kernel of one size."""

    size: tuple[int, ...]
    taps: tuple[int, ...]
    center: tuple[int, ...]
    lengths: tuple[int, ...]
    native: bool


def plan_fft(kernel: Tensor, size: Sequence[int], center: Sequence[int], native: bool = True) -> FFTPlan:
    """Plans transforms for a kernel ``[C, *K]`` and a grid of ``size``, in compiled code or by torch.

    Wrap-around may only reach outputs that are cut off, so a length is the grid's size plus the kernel's longer side.
    """
    taps, center = tuple(kernel.shape[1:]), tuple(center)
    on_host = kernel.dtype == torch.float32 and kernel.device.type == "cpu"
    if native and on_host:
        lengths = native_lengths(size, taps, center)
        if lengths is not None:
            return FFTPlan(tuple(size), taps, center, lengths, True)
    lengths = tuple(fast_length(s + max(m, k - 1 - m)) for s, k, m in zip(size, taps, center, strict=True))
    return FFTPlan(tuple(size), taps, center, lengths, False)


def fast_length(n: int) -> int:
    """Smallest even number >= ``n`` without prime factors above 7."""
    n = max(2, n + n % 2)
    while True:
        rest = n
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 2


def kernel_spectrum(taps: Tensor, plan: FFTPlan) -> Tensor:
    """Spectrum of a constant kernel, to be computed once."""
    if plan.native:
        return native_spectrum(taps, plan.lengths)
    return torch.fft.rfftn(taps, s=plan.lengths, dim=_axes(plan))


def fft_conv(x: Tensor, taps: Tensor, plan: FFTPlan, spectrum: Tensor | None = None) -> Tensor:
    """Depthwise convolution of ``x [B, C, *S]`` with ``taps [C, *K]``; constant taps come with their spectrum.

    This is the operator ``ccnn_geo::fft_conv``.
    """
    if x.device != taps.device:
        check_one_device("fft_conv", x=x, taps=taps)
    if x.dtype != taps.dtype:
        return _plain(x, taps, plan)
    return _CONV(x, taps, plan.center, plan.lengths, plan.native, spectrum)


def _axes(plan: FFTPlan) -> tuple[int, ...]:
    return tuple(range(-len(plan.size), 0))


def _box(t: Tensor, start: Sequence[int], size: Sequence[int]) -> Tensor:
    for axis, (a, n) in enumerate(zip(start, size, strict=True), start=t.dim() - len(size)):
        t = t.narrow(axis, a, n)
    return t


def _plain(x: Tensor, taps: Tensor, plan: FFTPlan) -> Tensor:
    """The formula, for autograd and compilers."""
    axes, s = _axes(plan), plan.lengths
    product = torch.fft.rfftn(x, s=s, dim=axes) * torch.fft.rfftn(taps, s=s, dim=axes)
    return _box(torch.fft.irfftn(product, s=s, dim=axes), plan.center, plan.size)


def _plan(x: Tensor, taps: Tensor, center: Sequence[int], lengths: Sequence[int], native: bool) -> FFTPlan:
    return FFTPlan(tuple(x.shape[2:]), tuple(taps.shape[1:]), tuple(center), tuple(lengths), native)


def _formula(x: Tensor, taps: Tensor, *how: Any) -> Tensor:
    return _plain(x, taps, _plan(x, taps, *how[:3]))


def _kernel(
    x: Tensor,
    taps: Tensor,
    center: Sequence[int],
    lengths: Sequence[int],
    native: bool,
    spectrum: Tensor | None,
) -> Tensor:
    if x.numel() == 0:
        return torch.empty_like(x)
    if native:
        return native_fft(x, taps, center, tuple(lengths), spectrum)
    plan = _plan(x, taps, center, lengths, native)
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    for part in _chunks(x, plan):
        values = _spectrum(x[:, part], plan).mul_(_transformed(taps, spectrum, part, plan))
        out[:, part] = _box(_signal(values, plan), plan.center, plan.size)
    return out


def _backward_kernel(
    grad_out: Tensor,
    x: Tensor,
    taps: Tensor,
    center: Sequence[int],
    lengths: Sequence[int],
    native: bool,
    spectrum: Tensor | None,
    need: Sequence[bool],
) -> list[Tensor]:
    if x.numel() == 0:
        return [
            t
            for t, needed in zip((x.new_empty(x.shape), like_taps(taps).zero_()), need, strict=True)
            if needed
        ]
    if native:
        found = native_fft_backward(grad_out, x, taps, center, tuple(lengths), spectrum, need)
        return [t for t in found if t is not None]
    plan = _plan(x, taps, center, lengths, native)
    grad_x = torch.empty_like(x, memory_format=torch.contiguous_format) if need[0] else None
    grad_taps = like_taps(taps) if need[1] else None
    for part in _chunks(x, plan):
        # places the gradient where the output lies in the transform
        placed = grad_out.new_zeros(x.size(0), part.stop - part.start, *plan.lengths)
        _box(placed, plan.center, plan.size).copy_(grad_out[:, part])
        grad = _spectrum(placed, plan)
        if grad_taps is not None:
            product = (_spectrum(x[:, part], plan).conj_physical() * grad).sum(dim=0)
            grad_taps[part] = _box(_signal(product, plan), [0] * len(plan.taps), plan.taps)
        if grad_x is not None:
            product = grad.mul_(_transformed(taps, spectrum, part, plan).conj_physical())
            grad_x[:, part] = _box(_signal(product, plan), [0] * len(plan.size), plan.size)
    return [t for t in (grad_x, grad_taps) if t is not None]


def _chunks(x: Tensor, plan: FFTPlan) -> Iterator[slice]:
    floats = x.size(0) * math.prod(plan.lengths)
    step = max(1, CHUNK_FLOATS.get(x.device.type, CHUNK_FLOATS["cuda"]) // max(1, floats))
    return (slice(c, min(c + step, x.size(1))) for c in range(0, x.size(1), step))


def _spectrum(t: Tensor, plan: FFTPlan) -> Tensor:
    return torch.fft.rfftn(t, s=plan.lengths, dim=_axes(plan))


def _signal(t: Tensor, plan: FFTPlan) -> Tensor:
    return torch.fft.irfftn(t, s=plan.lengths, dim=_axes(plan))


def _transformed(taps: Tensor, spectrum: Tensor | None, part: slice, plan: FFTPlan) -> Tensor:
    return _spectrum(taps[part], plan) if spectrum is None else spectrum[part]


_CONV = differentiable(
    "fft_conv(Tensor x, Tensor taps, SymInt[] center, SymInt[] lengths, bool native, Tensor? spectrum) -> Tensor",
    _kernel,
    _backward_kernel,
    lambda x, *_: torch.empty_like(x, memory_format=torch.contiguous_format),
    _formula,
    learns=2,
    like=like_taps,
)
