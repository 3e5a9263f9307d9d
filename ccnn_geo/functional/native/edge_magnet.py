"""The edge convolution with a MAGNet kernel as one compiled function, its derivatives included."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from ccnn_geo.continuous_kernel import ContinuousKernel
from ccnn_geo.functional import magnet
from ccnn_geo.functional.edge_basis import MAGNetBasis, edge_basis
from ccnn_geo.functional.native.build import arguments, native_function, threads_for
from ccnn_geo.memory import empty, zeros
from ccnn_geo.neighbors import Neighbors

SLACK = 16
"""Numbers after the last row of features: vectors reach beyond it."""
SUMS = 1 << 26
"""Numbers that all threads' sums of sources' gradients may take beyond as many as there are sources."""
MAX_DIM, MAX_HIDDEN, MAX_LAYERS = 3, 64, 4
POINTS = ("x", "pos_src", "pos_dst", "src", "ptr")
KERNEL = ("low", "high", "quadratic", "linear", "affine", "output")
GRADIENTS = ("grad_out", "grad_x", "grad_src", "grad_dst")
SUMMED = ("grad_quadratic", "grad_linear", "grad_affine", "grad_output")
Arguments = arguments(
    ("num_src", "num_dst", "channels", "dim", "hidden", "layers", "threads", "memory"),
    (*POINTS, *KERNEL, "out", *GRADIENTS, *SUMMED),
)
"""``edge_args`` of ``edge_magnet.c``."""


def native_edge_conv(
    x: Tensor,
    pos_src: Tensor,
    pos_dst: Tensor,
    neighbors: Neighbors,
    kernel: ContinuousKernel,
    weight: Tensor | None = None,
) -> Tensor | None:
    r"""What :func:`~ccnn_geo.functional.edge_conv.edge_conv` computes for a depthwise kernel, or ``None``.

    ``None`` where this code does not apply: without a library, for kernels other than MAGNet with no or a Gaussian
    window, more than 3 dimensions, 4 hidden layers or 64 hidden channels (which must be a multiple of 4), types
    other than float32, devices other than the CPU. Edges outside the support are dropped on the way.

    Shapes:
        - **x:** :math:`(N, C)`; **pos_src:** :math:`(N, D)`; **pos_dst:** :math:`(M, D)`; **weight:** :math:`(N)`
        - **output:** :math:`(M, C)`
    """
    points = (x, pos_src, pos_dst) if weight is None else (x, pos_src, pos_dst, weight)
    found = _packed(kernel) if all(map(_suits, points)) else None
    if found is None or kernel.out_channels != x.size(1):
        return None
    if weight is not None:
        x = x * weight.unsqueeze(-1)
    return _EdgeMAGNet.apply(neighbors, _box(kernel, kernel.support()), x, pos_src, pos_dst, *found)


def native_kernel(kernel: ContinuousKernel, rel: Tensor, support: Tensor | None = None) -> Tensor | None:
    """Kernel values at offsets ``[U, D]``, ``[U, C]``, or ``None`` as above; nothing of an offset is kept.

    They are what a point with features of one sends along an edge to each offset.
    """
    found = _packed(kernel) if _suits(rel) else None
    if found is None:
        return None
    numbers = torch.arange(rel.size(0) + 1)
    edges = Neighbors(torch.stack([torch.zeros_like(numbers), numbers])[:, :-1], numbers, 1, rel.size(0))
    point = rel.new_ones(1, kernel.out_channels), rel.new_zeros(1, kernel.dim)
    return _Kernel.apply(
        edges, _box(kernel, kernel.support() if support is None else support), *point, rel, *found
    )


def _packed(kernel: ContinuousKernel) -> tuple[Tensor, ...] | None:
    """Output layer and packed filters of a kernel this code is for."""
    output = kernel.output_weight()
    if not _suits(output) or native_function("edge_magnet") is None:
        return None
    basis = edge_basis(kernel)
    if not isinstance(basis, MAGNetBasis):
        return None
    hidden, layers = kernel.network.basis_channels, (len(basis.tensors) - 3) // 2
    if kernel.dim > MAX_DIM or hidden % 4 or not 0 < hidden <= MAX_HIDDEN or layers > MAX_LAYERS:
        return None
    return output, *basis.tensors


def _box(kernel: ContinuousKernel, high: Tensor) -> Tensor:
    """Smallest and largest offset of the support, ``[2, D]``."""
    return torch.stack([torch.zeros_like(high) if kernel.causal else -high, high])


def _suits(t: Tensor) -> bool:
    return t.dtype == torch.float32 and t.device.type == "cpu"


class _EdgeMAGNet(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, neighbors: Neighbors, box: Tensor, x: Tensor, *tensors: Tensor) -> Tensor:
        ctx.neighbors = neighbors
        ctx.save_for_backward(box, x, *tensors)
        out = zeros(neighbors.num_dst, x.size(1))
        _call(neighbors, box, x, tensors, out=out)
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "edge_conv has first derivatives only: for create_graph=True use method='plain'"
            )
        box, x, *tensors = ctx.saved_tensors
        need_x, need_src, need_dst, need_output, *need = ctx.needs_input_grad[2:]
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
        _call(ctx.neighbors, box, x, tensors, **grads)

        parts: list[Tensor | None] = [None] * len(need)
        if any(need):
            own, last = grads["grad_quadratic"].split([quadratic.size(1), 1], dim=1)
            flat = grads["grad_affine"].split([t.numel() for t in affine])
            parts = [
                own,
                last,
                grads["grad_linear"],
                *(g.view_as(t) for g, t in zip(flat, affine, strict=True)),
            ]
            given = (quadratic, window, linear, *affine)
            parts = [g.to(t.dtype) if n else None for g, t, n in zip(parts, given, need, strict=True)]
        return (
            None,
            None,
            grads["grad_x"][: x.numel()].view(x.shape) if need_x else None,
            grads.get("grad_src"),
            grads.get("grad_dst"),
            grads["grad_output"].mT.to(output.dtype) if need_output else None,
            *parts,
        )


class _Kernel(_EdgeMAGNet):
    """The kernel alone, which has second derivatives: those of its formula."""

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        if not torch.is_grad_enabled():
            return _EdgeMAGNet.backward(ctx, grad_out)
        box, _, _, *tensors = ctx.saved_tensors
        # views: a tensor that serves twice must not get the sum of its gradients in both places
        inputs = [t.view_as(t) for t in tensors]
        need = ctx.needs_input_grad[4:]
        wanted = [t for t, n in zip(inputs, need, strict=True) if n]
        found = iter(torch.autograd.grad(_formula(box, *inputs), wanted, grad_out, create_graph=True))
        return None, None, None, None, *(next(found) if n else None for n in need)


def _formula(
    box: Tensor,
    rel: Tensor,
    output: Tensor,
    quadratic: Tensor,
    window: Tensor,
    linear: Tensor,
    *affine: Tensor,
) -> Tensor:
    values = magnet.definition(rel.mT, quadratic, linear, *affine)
    weight = torch.exp2(rel.square().to(window.dtype) @ window[: rel.size(1)])
    inside = ((rel >= box[0]) & (rel <= box[1])).all(dim=1, keepdim=True)
    return torch.cat([values, weight.to(values.dtype)], dim=1) @ output.mT * inside


def _call(
    neighbors: Neighbors, box: Tensor, x: Tensor, tensors: tuple[Tensor, ...], **results: Tensor
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
        "src": neighbors.edge_index[0].contiguous(),
        "ptr": neighbors.ptr.contiguous(),
        "low": box[0],
        "high": box[1],
        "quadratic": torch.cat([quadratic.double(), window.double()], dim=1),
        "linear": linear.contiguous(),
        "affine": torch.cat([t.flatten() for t in affine]) if affine else x.new_zeros(1),
        "output": output.contiguous(),
        **results,
    }
    hidden = linear.size(1) // (len(affine) // 2 + 1)
    sizes = (*_sizes(x, pos_dst), pos_src.size(1), hidden, len(affine) // 2)
    args = Arguments(
        *sizes,
        threads_for(neighbors.num_edges),
        x.numel() + SUMS,
        **{name: t.data_ptr() for name, t in given.items()},
    )
    if function(ctypes.byref(args)) != 0:
        raise MemoryError("edge_conv: no memory for a block of edges per thread")


def _sizes(x: Tensor, pos_dst: Tensor) -> tuple[int, int, int]:
    return x.size(0), pos_dst.size(0), x.size(1)


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


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)
