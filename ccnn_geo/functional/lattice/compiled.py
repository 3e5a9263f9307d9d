"""The convolution over runs of edges with equal offset, in C."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.native.build import addresses, arguments, native_function, threads_for
from ccnn_geo._base.native.memory import zeros
from ccnn_geo.functional.first_order import refuse_second_order
from ccnn_geo.functional.lattice.runs import Runs

VECTOR = 16
"""Numbers that rows of features are padded to: a multiple of every processor's vectors."""
ConvArguments = arguments(
    ("channels", "padded", "offsets", "runs", "threads"),
    ("table", "offset", "begin", "end", "src", "dst", "x", "out", "grad_out", "grad_x", "grad_table"),
)


def native_lattice_conv(x: Tensor, table: Tensor, runs: Runs, num_dst: int) -> Tensor | None:
    """The sum over edges ``[M, C]`` with first derivatives, or ``None`` where this code does not apply.

    Shapes:
        - **x:** :math:`(N, C)`; **table:** :math:`(U, C)`, float32 on a CPU
    """
    suits = all(t.dtype == torch.float32 and t.device.type == "cpu" for t in (x, table))
    if not suits or native_function("lattice_conv") is None:
        return None
    return _LatticeConv.apply(x, table, runs, num_dst)


class _LatticeConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, runs: Runs, num_dst: int) -> Tensor:
        ctx.runs = runs
        ctx.save_for_backward(x, table)
        out = zeros(num_dst, _padded(x.size(1)))
        _call(table, runs, x.size(1), x=_pad(x), out=out)
        return out[:, : x.size(1)].contiguous()

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_order("lattice_conv")
        x, table = ctx.saved_tensors
        need_x, need_table = ctx.needs_input_grad[:2]
        given = {"grad_out": _pad(grad_out)}
        if need_x:
            given["grad_x"] = zeros(x.size(0), _padded(x.size(1)))
        if need_table:
            given["x"] = _pad(x)
            given["grad_table"] = zeros(*table.shape)
        _call(table, ctx.runs, x.size(1), **given)
        grad_x = given["grad_x"][:, : x.size(1)].contiguous() if need_x else None
        return grad_x, given.get("grad_table"), None, None


def _call(table: Tensor, runs: Runs, channels: int, **features: Tensor) -> None:
    function = native_function("lattice_conv")
    if function is None:
        raise RuntimeError("native code was turned off between a forward pass and its backward pass")
    given = {
        "table": table.contiguous(),
        **{name: getattr(runs, name).contiguous() for name in ("offset", "begin", "end", "src", "dst")},
        **features,
    }
    threads = threads_for(runs.src.numel())
    sizes = (channels, _padded(channels), table.size(0), runs.offset.numel(), threads)
    function(ctypes.byref(ConvArguments(*sizes, **addresses(**given))))


def _padded(channels: int) -> int:
    return -(-channels // VECTOR) * VECTOR


def _pad(t: Tensor) -> Tensor:
    """``t [N, C]`` with rows of whole vectors."""
    missing = _padded(t.size(1)) - t.size(1)
    return torch.nn.functional.pad(t, (0, missing)) if missing else t.contiguous()
