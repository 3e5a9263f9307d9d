"""The GELU in C: one pass over memory."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from ccnn_geo._base.native.build import addresses, arguments, native_function
from ccnn_geo._base.native.memory import empty

PIECE = 1 << 14
"""Numbers that a thread takes at once, as the source has it."""
Arguments = arguments(("size", "threads"), ("x", "residual", "grad_out", "out"))


def native_gelu(x: Tensor, residual: Tensor | None = None) -> Tensor:
    """``gelu(x)``, plus ``residual`` of the same shape."""
    return _call(x, residual=residual)


def native_gelu_backward(grad_out: Tensor, x: Tensor) -> Tensor:
    """``grad_out`` times the derivative at ``x``."""
    return _call(x, grad_out=grad_out)


def _call(x: Tensor, **tensors: Tensor | None) -> Tensor:
    function = native_function("gelu")
    if function is None:
        raise RuntimeError("native code was turned off between a forward pass and its backward pass")
    out = empty(*x.shape)
    given = {name: t.contiguous() for name, t in {"x": x, **tensors}.items() if t is not None}
    threads = max(1, min(torch.get_num_threads(), -(-x.numel() // PIECE)))
    function(ctypes.byref(Arguments(x.numel(), threads, **addresses(out=out, **given))))
    return out
