"""The edge convolution with a MAGNet kernel as compiled code and its derivatives: C on the CPU, Triton on CUDA."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.native.build import has_native
from ccnn_geo._base.operators import differentiable
from ccnn_geo.functional.edge import compiled_call
from ccnn_geo.functional.edge.basis import closed_form_basis
from ccnn_geo.functional.first_order import refuse_second_order
from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.kernels.math import magnet

MAX_DIM, MAX_HIDDEN, MAX_LAYERS = 3, 64, 4
VECTOR = 4
"""Hidden channels of the C code are a multiple of it."""


@torch.compiler.assume_constant_result
def has_compiled(device: str) -> bool:
    """Whether a type of device has compiled code; ``torch.compile`` asks once."""
    if device == "cuda":
        on = os.environ.get("CCNN_GEO_NATIVE") != "0"
        return on and torch.cuda.is_available() and importlib.util.find_spec("triton") is not None
    return device == "cpu" and has_native("edge_magnet")


def native_edge_conv(
    x: Tensor,
    pos_src: Tensor,
    pos_dst: Tensor,
    neighbors: Neighbors,
    kernel: ContinuousKernel,
    weight: Tensor | None = None,
) -> Tensor | None:
    r"""The result of :func:`~ccnn_geo.functional.edge.conv.edge_conv` for a depthwise kernel, or ``None``.

    It is ``None`` where compiled code does not apply: without a C compiler (CPU) or Triton (CUDA); for kernels other
    than MAGNet, GaborNet and FourierNet with no window or a Gaussian one; for more than 3 dimensions, 4 hidden layers
    or 64 hidden channels (on the CPU a multiple of 4); for types other than float32. Edges outside of the support are
    dropped on the way.

    Shapes:
        - **x:** :math:`(N, C)`; **pos_src:** :math:`(N, D)`; **pos_dst:** :math:`(M, D)`; **weight:** :math:`(N)`
        - **output:** :math:`(M, C)`
    """
    for t in (x, pos_src, pos_dst) if weight is None else (x, pos_src, pos_dst, weight):
        if t.dtype != torch.float32 or t.device != x.device:
            return None
    if kernel.out_channels != x.size(1):
        return None
    if neighbors.edge_index.device != x.device:
        check_one_device("edge_conv", x=x, src=neighbors.edge_index)
    found = kernel.remember("edge_magnet", lambda: _packed(kernel))
    if found is None:
        return None
    if weight is not None:
        x = x * weight.unsqueeze(-1)
    box, *tensors = found
    return edge_magnet(x, [pos_src, pos_dst, *tensors], neighbors.edge_index, neighbors.ptr, box)


def native_kernel(kernel: ContinuousKernel, rel: Tensor, support: Tensor | None = None) -> Tensor | None:
    """Kernel values at offsets ``[U, D]``, ``[U, C]``, or ``None`` as above; nothing of an offset is kept.

    They are what a point with features of one sends along an edge to each offset.
    """
    found = _packed(kernel, support) if rel.dtype == torch.float32 and rel.device.type == "cpu" else None
    if found is None:
        return None
    numbers = torch.arange(rel.size(0) + 1)
    edges = torch.stack([torch.zeros_like(numbers), numbers])[:, :-1]
    x, pos = rel.new_ones(1, kernel.out_channels), rel.new_zeros(1, kernel.dim)
    box, *tensors = found
    return edge_kernel(x, [pos, rel, *tensors], edges, numbers, box)


def _packed(kernel: ContinuousKernel, support: Tensor | None = None) -> tuple[Tensor, ...] | None:
    """Box of the support ``[2, D]``, output layer and packed filters of a kernel this code is for."""
    output = kernel.output_weight()
    if output.dtype != torch.float32 or not has_compiled(output.device.type):
        return None
    basis = closed_form_basis(kernel)
    if basis is None:
        return None
    hidden, layers = kernel.network.basis_channels, (len(basis.tensors) - 3) // 2
    if kernel.dim > MAX_DIM or not 0 < hidden <= MAX_HIDDEN or layers > MAX_LAYERS:
        return None
    if hidden % VECTOR and output.device.type == "cpu":
        return None
    high = kernel.support() if support is None else support
    return torch.stack([torch.zeros_like(high) if kernel.causal else -high, high]), output, *basis.tensors


def _calls(x: Tensor) -> ModuleType:
    """The calls of a device: of the C code, or of Triton's programs, which only a GPU's user must have."""
    if x.device.type == "cpu":
        return compiled_call
    from ccnn_geo.functional.edge.fused import launch

    return launch


def _sums(x: Tensor, *given: Any) -> Tensor:
    found: Tensor = _calls(x).sums(x, *given)
    return found


def _gradients(grad_out: Tensor, x: Tensor, *given: Any) -> list[Tensor]:
    found: list[Tensor] = _calls(x).gradients(grad_out, x, *given)
    return found


def _formula(x: Tensor, tensors: Sequence[Tensor], edge_index: Tensor, ptr: Tensor, box: Tensor) -> Tensor:
    """The sums in operations of torch."""
    pos_src, pos_dst, *kernel = tensors
    source, target = edge_index
    rel = pos_dst.index_select(0, target) - pos_src.index_select(0, source)
    values = _kernel_values(box, rel, *kernel) * x.index_select(0, source)
    return values.new_zeros(pos_dst.size(0), values.size(1)).index_add(0, target, values)


def _kernel_values(
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


def _fake(x: Tensor, tensors: Sequence[Tensor], edge_index: Tensor, ptr: Tensor, box: Tensor) -> Tensor:
    return x.new_empty(ptr.size(0) - 1, x.size(1))


# features; positions, output layer and packed filters; edges, their pointers, the box of the support
_SIGNATURE = "(Tensor x, Tensor[] tensors, Tensor edge_index, Tensor ptr, Tensor box) -> Tensor"
_OPERATOR: dict[str, Any] = {"fake": _fake, "formula": _formula, "learns": 2, "listed": True}
edge_magnet = differentiable(
    f"edge_magnet{_SIGNATURE}",
    _sums,
    _gradients,
    second=partial(refuse_second_order, "edge_conv"),
    **_OPERATOR,
)
"""The sum over edges as an operator, with first derivatives; its formula has those of any order."""
edge_kernel = differentiable(
    f"edge_kernel{_SIGNATURE}", compiled_call.sums, compiled_call.gradients, **_OPERATOR
)
"""The same with second derivatives, those of the formula: for the values of a kernel alone."""
