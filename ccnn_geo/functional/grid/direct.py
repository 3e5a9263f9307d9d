"""The direct convolution by torch's libraries, in full float32 on every device."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ccnn_geo._base.native.sizes import FirstSizes, ladder
from ccnn_geo._base.operators import differentiable
from ccnn_geo._base.tracing import is_traced

FIRST, FIRST_LARGE = FirstSizes(16), FirstSizes(2)
"""Sizes of batches of grids to convolve without padding, and the same for large kernels."""
MOST_TAPS = 512
"""Number of taps of a depthwise kernel on voxels above which oneDNN keeps 5 MB or more for each size."""
DIRECT_CONVS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def direct_conv(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    """Correlation of ``x [B, C, *S]`` with ``weight [O, C / groups, *K]``, which libraries call a convolution.

    On the CPU oneDNN caches data for each size, so all but the first few sizes are padded to a small set of sizes.
    cuDNN rounds float32 factors to TF32 by default, an error of 1e-3. The setting is read again in the backward pass,
    so the operator ``ccnn_geo::direct_conv`` turns it off in both.
    """
    if x.device.type == "cuda":
        return _FULL_PRECISION(x, weight, padding, groups)
    if is_traced():  # sizes are symbols, which cannot be counted
        return _conv(x, weight, padding, groups)
    return _conv_of_few_sizes(x, weight, padding, groups)


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Makes cuDNN convolve in full float32; restores the previous setting."""
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
    """Convolves with a library that keeps memory for each size: pads all but the first sizes with zeros.

    Lengths become one of four per octave, sides of images and voxels one of two, numbers of grids a power of two.
    """
    batch, _, *size = x.shape
    is_large = x.dim() == 5 and groups > 1 and math.prod(weight.shape[2:]) > MOST_TAPS
    first = FIRST_LARGE if is_large else FIRST
    if x.dtype == torch.float64 or first.has((batch, *size)):  # oneDNN has no float64
        return _conv(x, weight, padding, groups)
    missing = [ladder(s, 4 if len(size) == 1 else 2) - s for s in size]
    pads = [p for m in (*reversed(missing), 0, ladder(batch, 1) - batch) for p in (0, m)]
    filled = F.pad(x, pads) if any(pads) else x
    out = (_conv_of_slabs if is_large else _conv)(filled, weight, padding, groups).narrow(0, 0, batch)
    for axis, (s, p, k) in enumerate(zip(size, padding, weight.shape[2:], strict=True), start=2):
        out = out.narrow(axis, 0, s + 2 * p - k + 1)
    return out


def _conv_of_slabs(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    """Sums convolutions with slabs of a kernel on voxels, with at most :data:`MOST_TAPS` taps or one plane each."""
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


def _kernel(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    with without_tf32():
        return _conv(x, weight, padding, groups).contiguous()


def _backward_kernel(
    grad: Tensor, x: Tensor, weight: Tensor, padding: Sequence[int], groups: int, need: Sequence[bool]
) -> list[Tensor]:
    ones, zeros = [1] * (x.dim() - 2), [0] * (x.dim() - 2)
    how = ones, padding, ones, False, zeros, groups, [*need, False]
    with without_tf32():
        found = torch.ops.aten.convolution_backward.default(grad, x, weight, None, *how)
    return [t.contiguous() for t, n in zip(found, need, strict=False) if n]


def _fake(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    pairs = zip(x.shape[2:], padding, weight.shape[2:], strict=True)
    return x.new_empty(x.size(0), weight.size(0), *(s + 2 * p - k + 1 for s, p, k in pairs))


def _formula(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    with without_tf32():
        return _conv(x, weight, padding, groups)


_FULL_PRECISION = differentiable(
    "direct_conv(Tensor x, Tensor weight, SymInt[] padding, int groups) -> Tensor",
    _kernel,
    _backward_kernel,
    _fake,
    _formula,
    learns=2,
)
