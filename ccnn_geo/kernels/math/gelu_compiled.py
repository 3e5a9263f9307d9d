"""The GELU in C: one pass over memory."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from ccnn_geo._base.native.build import addresses, arguments, native_function
from ccnn_geo._base.native.memory import empty

PIECE = 1 << 14
"""Numbers that a thread processes at once, as in the C source."""
Arguments = arguments(("size", "threads"), ("x", "residual", "grad_out", "out"))


def native_gelu(x: Tensor, residual: Tensor | None = None, grad_out: Tensor | None = None) -> Tensor | None:
    """``gelu(x)``, plus ``residual``; or ``grad_out`` times the derivative at ``x``. ``None`` without a compiler."""
    function = native_function("gelu")
    if function is None:
        return None
    out = empty(*x.shape)
    named = {"x": x, "residual": residual, "grad_out": grad_out}
    given = {name: t.contiguous() for name, t in named.items() if t is not None}
    threads = max(1, min(torch.get_num_threads(), -(-x.numel() // PIECE)))
    function(ctypes.byref(Arguments(x.numel(), threads, **addresses(out=out, **given))))
    return out
