"""The direct convolution of torch's libraries, in full float32 on every device."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ccnn_geo._base.native.sizes import FirstSizes, ladder

FIRST, FIRST_LARGE = FirstSizes(16), FirstSizes(2)
"""Sizes of batches of grids that are convolved as they are, and those with kernels that are large."""
MOST_TAPS = 512
"""Taps of a depthwise kernel on voxels above which oneDNN keeps 5 MB and more for each size."""
DIRECT_CONVS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def direct_conv(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    """Correlation of ``x [B, C, *S]`` with ``weight [O, C / groups, *K]``, as the libraries call a convolution.

    On the CPU oneDNN keeps what it makes for each size, so that sizes behind the first few are filled up to others of
    which there are few. cuDNN rounds the factors of float32 to TF32 unless told not to, an error of 1e-3; the backward
    pass asks again, so both are told.
    """
    if torch.compiler.is_compiling():
        return _conv(x, weight, padding, groups)
    if x.device.type != "cuda":
        return _conv_of_few_sizes(x, weight, padding, groups)
    return _FullPrecision.apply(x, weight, tuple(padding), groups)


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Lets cuDNN convolve float32 as it is; what was set before is set again."""
    precision = getattr(torch.backends.cudnn, "conv", None)
    if precision is None:  # torch before 2.9
        before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = False
        try:
            yield
        finally:
            torch.backends.cudnn.allow_tf32 = before
        return
    known = precision.fp32_precision
    precision.fp32_precision = "ieee"
    try:
        yield
    finally:
        precision.fp32_precision = known


def _conv(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    return DIRECT_CONVS[x.dim() - 2](x, weight, padding=padding, groups=groups)


def _conv_of_few_sizes(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    """The same, where the library keeps memory for each size that it has seen: zeros fill up sizes that are many.

    Lengths become one of four an octave, sides of images and voxels one of two, numbers of grids a power of two.
    """
    batch, _, *size = x.shape
    is_large = x.dim() == 5 and groups > 1 and math.prod(weight.shape[2:]) > MOST_TAPS
    first = FIRST_LARGE if is_large else FIRST
    if x.dtype == torch.float64 or first.has((batch, *size)):  # oneDNN has no doubles
        return _conv(x, weight, padding, groups)
    missing = [ladder(s, 4 if len(size) == 1 else 2) - s for s in size]
    pads = [p for m in (*reversed(missing), 0, ladder(batch, 1) - batch) for p in (0, m)]
    filled = F.pad(x, pads) if any(pads) else x
    out = (_conv_of_slabs if is_large else _conv)(filled, weight, padding, groups).narrow(0, 0, batch)
    for axis, (s, p, k) in enumerate(zip(size, padding, weight.shape[2:], strict=True), start=2):
        out = out.narrow(axis, 0, s + 2 * p - k + 1)
    return out


def _conv_of_slabs(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    """The sum of convolutions with slabs of a kernel on voxels, of :data:`MOST_TAPS` taps at most or one plane each."""
    first, *others = padding
    x = F.pad(x, (0, 0, 0, 0, first, first))
    slabs = weight.split(max(1, MOST_TAPS // math.prod(weight.shape[3:])), dim=2)
    outputs, start, total = x.size(2) - weight.size(2) + 1, 0, None
    for slab in slabs:
        part = _conv(x.narrow(2, start, outputs + slab.size(2) - 1), slab, (0, *others), groups)
        total = part if total is None else total + part
        start += slab.size(2)
    assert total is not None
    return total


class _FullPrecision(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, padding: tuple[int, ...], groups: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding, ctx.groups = padding, groups
        with without_tf32():
            return _conv(x, weight, padding, groups)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), need = ctx.saved_tensors, ctx.needs_input_grad[:2]
        ones, zeros = [1] * (x.dim() - 2), [0] * (x.dim() - 2)
        with without_tf32():
            if not torch.is_grad_enabled():
                how = ones, ctx.padding, ones, False, zeros, ctx.groups, [*need, False]
                found = torch.ops.aten.convolution_backward(grad, x, weight, None, *how)
                return *(g if n else None for g, n in zip(found, need, strict=False)), None, None
            # second derivatives: let autograd differentiate the libraries' own
            x, weight = x.view_as(x), weight.view_as(weight)
            wanted = [t for t, n in zip((x, weight), need, strict=True) if n]
            out = _conv(x, weight, ctx.padding, ctx.groups)
            parts = iter(torch.autograd.grad(out, wanted, grad, create_graph=True))
        return *(next(parts) if n else None for n in need), None, None
