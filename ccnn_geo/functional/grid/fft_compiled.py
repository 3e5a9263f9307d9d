"""The depthwise convolution of grids by FFT, in C."""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ccnn_geo._base.native.build import addresses, arguments, has_native, native_function
from ccnn_geo._base.native.memory import empty

VECTOR = 16
"""Largest number of signals transformed at once."""
BUFFERS = 4
"""Transforms per thread: kernel, features, gradient, and the sum of their products."""
MAX_POINTS = 1 << 18
"""Largest transform: four larger ones would not fit into a cache."""
SIDES = ("size", "taps", "center", "length")
TENSORS = ("kernel", "spectrum", "x", "out", "grad_out", "grad_x", "grad_kernel")
Arguments = arguments(("batch", "channels", "dim", "threads", "rows"), (*SIDES, "roots", "scratch", *TENSORS))


def native_lengths(size: Sequence[int], taps: Sequence[int], center: Sequence[int]) -> tuple[int, ...] | None:
    """Lengths of the compiled transforms for a grid and a kernel, or ``None`` if they do not apply."""
    if not has_native("fft_conv"):
        return None
    needed = [s + max(m, k - 1 - m) for s, k, m in zip(size, taps, center, strict=True)]
    lengths = (*(smooth_length(n) for n in needed[:-1]), 2 * smooth_length(-(-needed[-1] // 2)))
    return lengths if math.prod(lengths) <= MAX_POINTS else None


def smooth_length(n: int) -> int:
    """Smallest number >= ``n`` without prime factors above 5."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def native_spectrum(taps: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """Spectrum of a kernel ``[C, *K]`` for :func:`native_fft`, in its own order."""
    groups = -(-taps.size(0) // VECTOR)
    out = empty(groups * math.prod(lengths) * VECTOR)
    none = [0] * len(lengths)
    _call((1, taps.size(0)), none, taps, none, lengths, spectrum=out)
    return out


def native_fft(
    x: Tensor, taps: Tensor, center: Sequence[int], lengths: tuple[int, ...], spectrum: Tensor | None = None
) -> Tensor:
    """Convolves ``x [B, C, *S]`` with ``taps [C, *K]``."""
    out = empty(*x.shape)
    given = {} if spectrum is None else {"spectrum": spectrum}
    _call(x.shape[:2], x.shape[2:], taps, center, lengths, x=x, out=out, **given)
    return out


def native_fft_backward(
    grad_out: Tensor,
    x: Tensor,
    taps: Tensor,
    center: Sequence[int],
    lengths: tuple[int, ...],
    spectrum: Tensor | None,
    need: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of ``x`` and ``taps``, those marked in ``need``."""
    given = {} if spectrum is None else {"spectrum": spectrum}
    if need[0]:
        given["grad_x"] = empty(*x.shape)
    if need[1]:
        given["grad_kernel"] = like_taps(taps)
    _call(x.shape[:2], x.shape[2:], taps, center, lengths, x=x, grad_out=grad_out, **given)
    return given.get("grad_x"), given.get("grad_kernel")


def like_taps(taps: Tensor) -> Tensor:
    """Memory for a gradient, in the layout of the taps if they are as rendered, otherwise channel by channel."""
    channels, *rest = taps.shape
    rows = _in_rows(taps)
    if taps.dtype != torch.float32 or taps.device.type != "cpu":
        return taps.new_empty(*rest, channels).movedim(-1, 0) if rows else taps.new_empty(taps.shape)
    return empty(*rest, channels).movedim(-1, 0) if rows else empty(*taps.shape)


def _in_rows(taps: Tensor) -> bool:
    """Whether taps have the layout in which they are rendered, with all channels of a tap next to each other."""
    return taps.size(0) > 1 and taps.movedim(0, -1).is_contiguous()


def _call(
    shape: Sequence[int],
    size: Sequence[int],
    taps: Tensor,
    center: Sequence[int],
    lengths: tuple[int, ...],
    grad_kernel: Tensor | None = None,
    **tensors: Tensor,
) -> None:
    function = native_function("fft_conv")
    if function is None:
        raise RuntimeError("native code was turned off between a forward pass and its backward pass")
    pieces = shape[0] * -(-shape[1] // VECTOR)
    threads = max(1, min(torch.get_num_threads(), pieces))
    sides = zip(SIDES, (size, taps.shape[1:], center, lengths), strict=True)
    rows = _in_rows(taps)
    given = {
        **{name: _numbers(tuple(side)) for name, side in sides},
        "roots": _roots(lengths),
        "scratch": empty(threads * BUFFERS * math.prod(lengths) * VECTOR),
        "kernel": taps if rows else taps.contiguous(),
        **{name: t.contiguous() for name, t in tensors.items()},
    }
    if grad_kernel is not None:  # has the layout of the taps
        given["grad_kernel"] = grad_kernel
    args = Arguments(*shape, len(lengths), threads, rows, **addresses(**given))
    if function(ctypes.byref(args)) != 0:
        raise MemoryError("grid_conv: not enough memory for a gradient of the kernel per thread")


@functools.lru_cache(maxsize=256)
def _numbers(side: tuple[int, ...]) -> Tensor:
    """Integers for a function in C, which only reads them."""
    return torch.tensor(side, dtype=torch.int64)


@functools.lru_cache(maxsize=16)
def _roots(lengths: tuple[int, ...]) -> Tensor:
    """Angles as cosine and sine: ``-2 pi k / n`` for each axis (half of the last), then ``pi j / n`` for the last."""
    *others, last = lengths
    steps = [(n, -2 * math.pi / n) for n in (*others, last // 2)] + [(last // 2, math.pi / last)]
    angles = torch.cat([torch.arange(n, dtype=torch.float64) * step for n, step in steps])
    return torch.stack([angles.cos(), angles.sin()], dim=1).float()
