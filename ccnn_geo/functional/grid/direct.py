"""The direct convolution of torch's libraries, in full float32 on every device."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ccnn_geo._base.native.sizes import FirstSizes, ladder
from ccnn_geo._base.operators import differentiable

FIRST, FIRST_LARGE = FirstSizes(16), FirstSizes(2)
"""Sizes of batches of grids that are convolved as they are, and those with kernels that are large."""
MOST_TAPS = 512
"""Taps of a depthwise kernel on voxels above which oneDNN keeps 5 MB and more for each size."""
DIRECT_CONVS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def direct_conv(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    """Correlation of ``x [B, C, *S]`` with ``weight [O, C / groups, *K]``, as the libraries call a convolution.

    On the CPU oneDNN keeps what it makes for each size, so that sizes behind the first few are filled up to others of
    which there are few. cuDNN rounds the factors of float32 to TF32 unless told not to, an error of 1e-3; the backward
    pass asks again, so both are told. It is the operator ``ccnn_geo::direct_conv``.
    """
    return _CORRELATION(x, weight, padding, groups)


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


def _formula(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    with without_tf32() if x.device.type == "cuda" else contextlib.nullcontext():
        return _conv(x, weight, padding, groups)


def _output_size(x: Tensor, weight: Tensor, padding: Sequence[int]) -> list[int]:
    pairs = zip(x.shape[2:], padding, weight.shape[2:], strict=True)
    return [x.size(0), weight.size(0), *(s + 2 * p - k + 1 for s, p, k in pairs)]


def _is_large(weight: Tensor, groups: int) -> bool:
    return weight.dim() == 5 and groups > 1 and math.prod(weight.shape[2:]) > MOST_TAPS


def _missing(x: Tensor, weight: Tensor, groups: int) -> list[int] | None:
    """Grids and samples along each axis that fill a batch up to one of few sizes; ``None`` for one that may be.

    Lengths become one of four an octave, sides of images and voxels one of two, numbers of grids a power of two.
    """
    batch, _, *size = x.shape
    first = FIRST_LARGE if _is_large(weight, groups) else FIRST
    if (
        x.device.type != "cpu" or x.dtype == torch.float64 or first.has((batch, *size))
    ):  # oneDNN has no doubles
        return None
    return [ladder(batch, 1) - batch, 0, *(ladder(s, 4 if len(size) == 1 else 2) - s for s in size)]


def _filled(t: Tensor, missing: Sequence[int]) -> Tensor:
    return F.pad(t, [p for m in reversed(missing) for p in (0, m)]) if any(missing) else t


def _part(t: Tensor, size: Sequence[int]) -> Tensor:
    for axis, n in enumerate(size):
        t = t.narrow(axis, 0, n)
    return t.contiguous()


def _slabs(weight: Tensor) -> Sequence[Tensor]:
    """Slabs of a kernel on voxels, of :data:`MOST_TAPS` taps at most or one plane each."""
    return weight.split(max(1, MOST_TAPS // math.prod(weight.shape[3:])), dim=2)


def _kernel(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    with without_tf32() if x.device.type == "cuda" else contextlib.nullcontext():
        missing = _missing(x, weight, groups)
        if missing is None:
            return _conv(x, weight, padding, groups).contiguous()
        convolve = _conv_of_slabs if _is_large(weight, groups) else _conv
        out = convolve(_filled(x, missing), weight, padding, groups)
        return _part(out, _output_size(x, weight, padding))


def _backward_kernel(
    grad: Tensor, x: Tensor, weight: Tensor, padding: Sequence[int], groups: int, need: Sequence[bool]
) -> list[Tensor]:
    with without_tf32() if x.device.type == "cuda" else contextlib.nullcontext():
        missing = _missing(x, weight, groups)
        if missing is None:
            found = _gradients(grad, x, weight, padding, groups, need)
        else:
            differentiate = _gradients_of_slabs if _is_large(weight, groups) else _gradients
            filled = _filled(grad, missing), _filled(x, missing)
            found = differentiate(*filled, weight, padding, groups, need)
    sizes = (x.shape, weight.shape)
    return [_part(t, size) for t, size in zip(found, sizes, strict=True) if t is not None]


def _gradients(
    grad: Tensor, x: Tensor, weight: Tensor, padding: Sequence[int], groups: int, need: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    ones, zeros = [1] * (x.dim() - 2), [0] * (x.dim() - 2)
    how = ones, padding, ones, False, zeros, groups, [*need, False]
    by_x, by_weight, _ = torch.ops.aten.convolution_backward(grad, x, weight, None, *how)
    return by_x if need[0] else None, by_weight if need[1] else None


def _conv_of_slabs(x: Tensor, weight: Tensor, padding: Sequence[int], groups: int) -> Tensor:
    """The sum of convolutions with slabs of a kernel."""
    first, *others = padding
    x = F.pad(x, (0, 0, 0, 0, first, first))
    outputs, start, total = x.size(2) - weight.size(2) + 1, 0, None
    for slab in _slabs(weight):
        part = _conv(x.narrow(2, start, outputs + slab.size(2) - 1), slab, (0, *others), groups)
        total = part if total is None else total.add_(part)
        start += slab.size(2)
    assert total is not None
    return total


def _gradients_of_slabs(
    grad: Tensor, x: Tensor, weight: Tensor, padding: Sequence[int], groups: int, need: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    first, *others = padding
    padded = F.pad(x, (0, 0, 0, 0, first, first))
    by_x, by_weight, start = torch.zeros_like(padded) if need[0] else None, [], 0
    for slab in _slabs(weight):
        length = grad.size(2) + slab.size(2) - 1
        seen = padded.narrow(2, start, length)
        part_x, part_weight = _gradients(grad, seen, slab, (0, *others), groups, need)
        if by_x is not None and part_x is not None:
            by_x.narrow(2, start, length).add_(part_x)
        if part_weight is not None:
            by_weight.append(part_weight)
        start += slab.size(2)
    inner = None if by_x is None else by_x.narrow(2, first, x.size(2))
    return inner, torch.cat(by_weight, dim=2) if by_weight else None


_CORRELATION = differentiable(
    "direct_conv(Tensor x, Tensor weight, SymInt[] padding, int groups) -> Tensor",
    _kernel,
    _backward_kernel,
    lambda x, weight, padding, groups: x.new_empty(_output_size(x, weight, padding)),
    _formula,
    learns=2,
)
