"""What points, and the input of a network on grids, must look like."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo.functional.clouds import cloud_offsets
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors import Neighbors
from ccnn_geo.nn.conv.plan import PointPlan


def check_tensors(name: str, x: object, pos: object) -> None:
    """Says what is no tensor, or no real one; sources and targets may come as pairs.

    Raises:
        TypeError: If features or positions are something else.
    """
    for what, value in (("x", x), ("pos", pos)):
        parts = value if isinstance(value, (tuple, list)) else (value,)
        bad = [
            part for part in parts if part is not None and (not isinstance(part, Tensor) or part.is_complex())
        ]
        if (
            bad
            or len(parts) != (2 if isinstance(value, (tuple, list)) else 1)
            or (what == "x" and parts[0] is None)
        ):
            got = [p.dtype if isinstance(p, Tensor) else type(p).__name__ for p in parts]
            raise TypeError(
                f"{name}: expected {what} to be a real tensor, or a pair for sources and targets, got "
                f"{type(value).__name__} of {', '.join(map(str, got))}"
            )


def check_points(
    name: str,
    kernel: ContinuousKernel,
    x: Tensor,
    plan: PointPlan,
    weight: Tensor | None,
) -> None:
    """Says what does not fit, before any path runs.

    Values are looked at once per plan, by the first layer that gets it: those of features and positions on the CPU
    only, for elsewhere it would wait for the device. A network looks at its input in every pass (:func:`check_reused`).

    Raises:
        ValueError: If devices, shapes, types or sizes do not fit the layer or each other, a value is NaN or infinite,
            the clouds are not in order, or an edge ends nowhere.
    """
    channels = kernel.shape[-1]
    if x.dim() != 2 or x.size(1) != channels:
        raise ValueError(f"{name}: expected x [N, {channels}] beside pos, got {list(x.shape)}")
    pos, edge_index = plan.given_pos, plan.edge_index
    check_one_device(
        name,
        x=x,
        pos=pos if plan.is_bipartite else pos[0],
        batch=plan.batch if plan.is_bipartite else plan.batch[0],
        edge_index=edge_index.edge_index if isinstance(edge_index, Neighbors) else edge_index,
        weight=weight,
        parameters=kernel.network.output.weight,
    )
    for p in pos:
        if p.dim() != 2 or p.size(1) != kernel.dim or not p.is_floating_point():
            raise ValueError(
                f"{name}: expected floating-point pos [N, {kernel.dim}], got {p.dtype} {list(p.shape)}"
            )
    num_src, num_dst = pos[0].size(0), pos[1].size(0)
    if num_src != x.size(0):
        raise ValueError(f"{name}: x has {x.size(0)} points, pos has {num_src}")
    if weight is not None and weight.shape != (num_src,):
        raise ValueError(f"{name}: expected weight [{num_src}], one per source, got {list(weight.shape)}")
    if isinstance(edge_index, Neighbors) and (edge_index.num_src, edge_index.num_dst) != (
        num_src,
        num_dst,
    ):
        raise ValueError(
            f"{name}: expected neighbours of {num_src} sources and {num_dst} targets, got {edge_index}"
        )
    if not torch.compiler.is_compiling() and not plan.is_checked:
        _check_values(name, x, plan, weight)
        plan.is_checked = True


def check_reused(name: str, x: Tensor, plan: PointPlan, weight: Tensor | None) -> None:
    """Looks at features and weights that come with a plan of an earlier pass, which layers take as seen.

    Raises:
        ValueError: If a value is NaN or infinite.
    """
    if not torch.compiler.is_compiling() and plan.is_checked:
        for what, values in (("x", x), ("weight", weight)):
            if isinstance(values, Tensor):  # layers say what is none
                _check_finite(name, what, values)


def _check_values(name: str, x: Tensor, plan: PointPlan, weight: Tensor | None) -> None:
    if plan.edge_index is None:
        for p, batch, what in zip(plan.given_pos, plan.batch, ("batch", "batch of the targets"), strict=True):
            cloud_offsets(p, batch, 1, what)
            size = plan.batch_size
            if size is not None and batch is not None and batch.numel() and int(batch[-1]) >= size:
                raise ValueError(f"{name}: expected {what} below batch_size={size}, got {int(batch[-1])}")
    for what, values in (
        ("x", x),
        ("pos", plan.given_pos[0]),
        ("pos", plan.given_pos[1]),
        ("weight", weight),
    ):
        _check_finite(name, what, values)
    for values in plan.pos:  # what is finite in float64 may be infinite in float32
        _check_finite(name, f"pos in {plan.dtype}", values)
    if isinstance(plan.edge_index, Tensor):
        _ = plan.neighbors  # says what is wrong with them


def check_grid(name: str, x: Tensor) -> None:
    """Says which samples of a grid ``[B, C, *S]`` are not finite: one of them would spoil the statistics of all.

    On the CPU only, where it takes 0.3 % of a small network's pass (4 x 3 x 32 x 32, ``ccnn_4_16``).

    Raises:
        ValueError: If a value is NaN or infinite.
    """
    if not torch.compiler.is_compiling():
        _check_finite(name, "x", x, "samples")


def _check_finite(name: str, what: str, values: Tensor | None, of: str = "points") -> None:
    if values is None or values.device.type != "cpu" or torch._C._are_functorch_transforms_active():
        return  # numbers of another device would be waited for, those that torch.vmap maps over cannot be asked
    if bool(values.isfinite().all()):
        return
    bad = ~values.isfinite().reshape(len(values), -1).all(dim=1)
    raise ValueError(
        f"{name}: expected {what} to be finite, got NaN or Inf in {int(bad.sum())} of {len(bad)} {of} "
        f"(first: number {int(bad.nonzero()[0])})"
    )
