"""Products of many rows with a small matrix, and sums over many rows, in C."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor
from torch.nn import functional as F

from ccnn_geo._base.native.build import addresses, arguments, native_function
from ccnn_geo._base.native.memory import empty, zeros

BLOCK = 128
"""Rows per block, as in the C source."""
SIZES = ("rows", "inputs", "columns", "row_step", "input_step", "threads")
Arguments = arguments(SIZES, ("x", "weight", "bias", "out", "other", "sums", "scratch"))


def native_rows(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor | None = None) -> Tensor:
    """``x [E, K]`` times ``weight [N, K]`` transposed, plus ``bias [N]``, in ``out`` if that is contiguous."""
    columns = weight.size(0)
    own = out if out is not None and out.is_contiguous() else empty(x.size(0), columns)
    padded = (0, _pad(columns) - columns)
    turned = F.pad(weight.mT, padded).contiguous()
    _call(x, columns, weight=turned, bias=None if bias is None else F.pad(bias, padded), out=own)
    return own if out is None or own is out else out.copy_(own)


def native_cross(a: Tensor, b: Tensor) -> Tensor:
    """``a [I, E]`` times ``b [E, J]``."""
    sums = zeros(_threads(a.size(1)), a.size(0), _pad(b.size(1)))
    _call(a.mT, b.size(1), other=b.contiguous(), sums=sums)
    return sums.sum(dim=0)[:, : b.size(1)]


def _pad(columns: int) -> int:
    return -(-columns // 16) * 16


def _threads(rows: int) -> int:
    return max(1, min(torch.get_num_threads(), -(-rows // BLOCK)))


def _call(x: Tensor, columns: int, **tensors: Tensor | None) -> None:
    function = native_function("row_products")
    assert function is not None, "callers check that it exists"
    (rows, inputs), threads = x.shape, _threads(x.size(0))
    given = {"x": x, "scratch": empty(threads * (BLOCK + inputs) * _pad(columns)), **tensors}
    places = addresses(**{name: t for name, t in given.items() if t is not None})
    function(ctypes.byref(Arguments(rows, inputs, columns, *x.stride(), threads, **places)))
