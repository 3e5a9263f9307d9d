"""The convolution over runs of edges with equal offset, in C."""

from __future__ import annotations

import ctypes
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.native.build import addresses, arguments, native_function, threads_for
from ccnn_geo._base.native.memory import zeros
from ccnn_geo._base.operators import differentiable
from ccnn_geo.functional.first_order import refuse_second_order
from ccnn_geo.functional.lattice.runs import OffsetSegments

VECTOR = 16
"""Rows of features are padded to a multiple of this, which fits every processor's vectors."""
ConvArguments = arguments(
    ("channels", "padded", "offsets", "runs", "threads"),
    ("table", "offset", "begin", "end", "src", "dst", "x", "out", "grad_out", "grad_x", "grad_table"),
)


def native_lattice_conv(x: Tensor, table: Tensor, runs: OffsetSegments, num_dst: int) -> Tensor | None:
    """The sum over edges ``[M, C]`` with first derivatives, or ``None`` if this code does not apply.

    Shapes:
        - **x:** :math:`(N, C)`; **table:** :math:`(U, C)`, float32 on a CPU
    """
    suits = all(t.dtype == torch.float32 and t.device.type == "cpu" for t in (x, table))
    if not suits or native_function("lattice_conv") is None:
        return None
    return lattice_conv(x, table, runs.offset, runs.begin, runs.end, runs.src, runs.dst, num_dst)


def _formula(
    x: Tensor,
    table: Tensor,
    offset: Tensor,
    begin: Tensor,
    end: Tensor,
    src: Tensor,
    dst: Tensor,
    num_dst: int,
) -> Tensor:
    index = offset.long().repeat_interleave(end - begin, output_size=src.size(0))
    values = table.index_select(0, index) * x.index_select(0, src)
    return values.new_zeros(num_dst, x.size(1)).index_add(0, dst, values)


def _kernel(x: Tensor, table: Tensor, *edges: Any) -> Tensor:
    *runs, num_dst = edges
    out = zeros(num_dst, _padded(x.size(1)))
    _call(table, OffsetSegments(*runs), x.size(1), x=_pad(x), out=out)
    return out[:, : x.size(1)].contiguous()


def _backward_kernel(grad: Tensor, x: Tensor, table: Tensor, *given: Any) -> list[Tensor]:
    *runs, _, need = given
    tensors = {"grad_out": _pad(grad)}
    if need[0]:
        tensors["grad_x"] = zeros(x.size(0), _padded(x.size(1)))
    if need[1]:
        tensors["x"] = _pad(x)
        tensors["grad_table"] = zeros(*table.shape)
    _call(table, OffsetSegments(*runs), x.size(1), **tensors)
    grad_x = [tensors["grad_x"][:, : x.size(1)].contiguous()] if need[0] else []
    return [*grad_x, tensors["grad_table"]] if need[1] else grad_x


def _call(table: Tensor, runs: OffsetSegments, channels: int, **features: Tensor) -> None:
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
    """Pads the rows of ``t [N, C]`` to whole vectors."""
    missing = _padded(t.size(1)) - t.size(1)
    return torch.nn.functional.pad(t, (0, missing)) if missing else t.contiguous()


lattice_conv = differentiable(
    "lattice_conv(Tensor x, Tensor table, Tensor offset, Tensor begin, Tensor end, Tensor src, Tensor dst, "
    "SymInt num_dst) -> Tensor",
    _kernel,
    _backward_kernel,
    lambda x, *given: x.new_empty(given[-1], x.size(1)),
    _formula,
    learns=2,
    second=partial(refuse_second_order, "lattice_conv"),
)
"""The sum as an operator with first derivatives; its formula has derivatives of any order."""
