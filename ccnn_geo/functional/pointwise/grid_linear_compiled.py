"""A linear layer on the channels of a grid, in C."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ccnn_geo._base.native.build import addresses, arguments, native_function
from ccnn_geo._base.native.memory import empty, zeros

TILE = 288
"""Cells processed at once, as in the C source."""
TENSORS = ("x", "weight", "bias", "out", "grad_out", "grad_x", "grad_weight", "grad_bias", "scratch")
Arguments = arguments(("batch", "inputs", "outputs", "length", "threads"), TENSORS)


def native_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor | None:
    """Applies ``weight [O, C]`` and ``bias [O]`` to the channels of ``x [B, C, L]``; ``None`` without a compiler."""
    function = native_function("grid_linear")
    if function is None:
        return None
    out = empty(x.size(0), weight.size(0), x.size(2))
    _call(function, x, weight, bias=bias, out=out)
    return out


def native_linear_backward(
    grad_out: Tensor, x: Tensor, weight: Tensor, need: Sequence[bool]
) -> tuple[Tensor | None, ...]:
    """Gradients of ``x``, ``weight`` and ``bias``, those marked in ``need``."""
    function = native_function("grid_linear")
    assert function is not None, "callers check that it exists"
    outputs, inputs = weight.shape
    threads = _threads(x)
    grad_x = empty(*x.shape) if need[0] else None
    # each thread has its own sums
    grad_weight = zeros(threads, outputs, _pad(inputs)) if need[1] else None
    grad_bias = zeros(threads, outputs) if need[2] else None
    _call(function, x, weight, grad_out=grad_out, grad_x=grad_x, grad_weight=grad_weight, grad_bias=grad_bias)
    return (
        grad_x,
        None if grad_weight is None else grad_weight.sum(dim=0)[:, :inputs],
        None if grad_bias is None else grad_bias.sum(dim=0),
    )


def _pad(channels: int) -> int:
    return -(-channels // 16) * 16


def _threads(x: Tensor) -> int:
    return max(1, min(torch.get_num_threads(), x.size(0) * -(-x.size(2) // TILE)))


def _call(function: Callable[..., int], x: Tensor, weight: Tensor, **tensors: Tensor | None) -> None:
    (batch, inputs, length), outputs, threads = x.shape, weight.size(0), _threads(x)
    own = TILE * (3 * _pad(inputs) + _pad(outputs)) + outputs * _pad(inputs)
    named = {"x": x, "weight": weight, "scratch": empty(threads * own), **tensors}
    given = {name: t.contiguous() for name, t in named.items() if t is not None}
    function(ctypes.byref(Arguments(batch, inputs, outputs, length, threads, **addresses(**given))))
