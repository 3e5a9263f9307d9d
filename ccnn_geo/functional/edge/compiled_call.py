"""The compiled edge convolution as it is: tensors in, tensors out, nothing that autograd or a compiler sees."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from ccnn_geo._base.native.build import addresses, arguments, native_function, threads_for
from ccnn_geo._base.native.memory import empty, zeros

SLACK = 16
"""Numbers after the last row of features: vectors reach beyond it."""
SUMS = 1 << 26
"""Numbers that all threads' sums of sources' gradients may take beyond as many as there are sources."""
POINTS = ("x", "pos_src", "pos_dst", "src", "ptr")
KERNEL = ("low", "high", "quadratic", "linear", "affine", "output")
GRADIENTS = ("grad_out", "grad_x", "grad_src", "grad_dst")
SUMMED = ("grad_quadratic", "grad_linear", "grad_affine", "grad_output")
Arguments = arguments(
    ("num_src", "num_dst", "channels", "dim", "hidden", "layers", "threads", "memory"),
    (*POINTS, *KERNEL, "out", *GRADIENTS, *SUMMED),
)
"""``edge_args`` of ``edge_magnet.c``."""


def sums(x: Tensor, tensors: Sequence[Tensor], edge_index: Tensor, ptr: Tensor, box: Tensor) -> Tensor:
    """Sums over the neighbours in a box ``[2, D]`` of offsets, ``[M, C]``.

    Edges and pointers are those of :class:`~ccnn_geo.functional.graph.Neighbors`.

    Tensors are the positions of sources and targets, the output layer, and the packed filters of
    :class:`~ccnn_geo.functional.edge.basis.MAGNetBasis`.
    """
    out = zeros(ptr.size(0) - 1, x.size(1))
    _call(x, tensors, edge_index, ptr, box, out=out)
    return out


def gradients(
    grad_out: Tensor,
    x: Tensor,
    tensors: Sequence[Tensor],
    edge_index: Tensor,
    ptr: Tensor,
    box: Tensor,
    needed: Sequence[bool],
) -> list[Tensor]:
    """Gradients of ``x`` and of the tensors, those that are needed."""
    need_x, need_src, need_dst, need_output, *need = needed
    pos_src, pos_dst, output, quadratic, window, linear, *affine = tensors
    grads: dict[str, Tensor] = {"grad_out": _with_slack(grad_out)}
    if need_x:
        grads["grad_x"] = zeros(x.numel() + SLACK)
    if need_src:
        grads["grad_src"] = torch.zeros_like(pos_src, memory_format=torch.contiguous_format)
    if need_dst:
        grads["grad_dst"] = torch.zeros_like(pos_dst, memory_format=torch.contiguous_format)
    if need_output:
        grads["grad_output"] = _zeros(output.size(1), output.size(0))
    if need_src or need_dst or any(need):
        grads["grad_quadratic"] = _zeros(quadratic.size(0), quadratic.size(1) + 1)
        grads["grad_linear"] = _zeros(*linear.shape)
        grads["grad_affine"] = _zeros(sum(t.numel() for t in affine))
    _call(x, tensors, edge_index, ptr, box, **grads)

    parts: list[Tensor | None] = [None] * len(need)
    if any(need):
        own_part, last = grads["grad_quadratic"].split([quadratic.size(1), 1], dim=1)
        flat = grads["grad_affine"].split([t.numel() for t in affine])
        each = [
            own_part,
            last,
            grads["grad_linear"],
            *(g.view_as(t) for g, t in zip(flat, affine, strict=True)),
        ]
        given = (quadratic, window, linear, *affine)
        parts = [_own(g, t) if n else None for g, t, n in zip(each, given, need, strict=True)]
    found = [
        grads["grad_x"][: x.numel()].view(x.shape) if need_x else None,
        grads.get("grad_src"),
        grads.get("grad_dst"),
        _own(grads["grad_output"].mT, output) if need_output else None,
        *parts,
    ]
    return [t for t in found if t is not None]


def _call(
    x: Tensor, tensors: Sequence[Tensor], edge_index: Tensor, ptr: Tensor, box: Tensor, **results: Tensor
) -> None:
    function = native_function("edge_magnet")
    if function is None:
        raise RuntimeError("native code was turned off between a forward pass and its backward pass")
    pos_src, pos_dst, output, quadratic, window, linear, *affine = tensors
    box = box.to(torch.float32)
    given = {
        "x": _with_slack(x),
        "pos_src": pos_src.contiguous(),
        "pos_dst": pos_dst.contiguous(),
        "src": edge_index[0].contiguous(),
        "ptr": ptr.contiguous(),
        "low": box[0],
        "high": box[1],
        "quadratic": torch.cat([quadratic.double(), window.double()], dim=1),
        "linear": linear.contiguous(),
        "affine": torch.cat([t.flatten() for t in affine]) if affine else x.new_zeros(1),
        "output": output.contiguous(),
        **results,
    }
    hidden = linear.size(1) // (len(affine) // 2 + 1)
    points = (x.size(0), pos_dst.size(0), x.size(1), pos_src.size(1))
    args = Arguments(
        *(*points, hidden, len(affine) // 2),
        threads_for(edge_index.size(1)),
        x.numel() + SUMS,
        **addresses(**given),
    )
    if function(ctypes.byref(args)) != 0:
        raise MemoryError("edge_conv: no memory for a block of edges per thread")


def _with_slack(t: Tensor) -> Tensor:
    """``t [N, C]`` in memory that goes on for one more vector."""
    t = t.detach()
    end = t.storage_offset() + t.numel() + SLACK
    if t.is_contiguous() and t.untyped_storage().nbytes() >= end * t.element_size():
        return t
    out = empty(t.numel() + SLACK)
    out[: t.numel()].view(t.shape).copy_(t)
    out[t.numel() :] = 0
    return out


def _own(grad: Tensor, t: Tensor) -> Tensor:
    """A gradient in memory of its own, as an operator promises, and not as a part of that of all filters."""
    return grad.to(t.dtype, copy=True, memory_format=torch.contiguous_format)


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)
