"""Checks of layer arguments, of points and of the input of networks on grids."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.tracing import is_traced
from ccnn_geo.functional.clouds import cloud_offsets
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors import Neighbors
from ccnn_geo.nn.conv.measures import MEASURES
from ccnn_geo.nn.conv.plan import PointPlan

METHODS = ("auto", "edge", "lattice", "mesh", "plain", "fft", "direct")


def check_layer(
    name: str,
    in_channels: int,
    out_channels: int,
    dim: int,
    num_neighbors: int | None,
    method: str,
    measure: str,
    num_taps: float | None,
) -> None:
    """Checks the arguments of a layer.

    Raises:
        ValueError: If one is out of range.
    """
    if in_channels < 1 or out_channels < 1:
        raise ValueError(f"{name}: expected channels >= 1, got in={in_channels}, out={out_channels}")
    if dim not in (1, 2, 3):
        raise ValueError(f"{name}: expected dim 1, 2 or 3, got {dim}")
    if method not in METHODS:
        raise ValueError(f"{name}: expected method to be one of {METHODS}, got {method!r}")
    if measure not in MEASURES:
        raise ValueError(f"{name}: expected measure to be one of {tuple(MEASURES)}, got {measure!r}")
    if measure == "quadrature" and num_neighbors is not None:
        raise ValueError(
            f"{name}: expected num_neighbors=None with measure='quadrature', because a list of the nearest covers "
            f"less space where points are denser, got {num_neighbors}"
        )
    if num_neighbors is not None and not (isinstance(num_neighbors, int | Integral) and num_neighbors >= 1):
        raise ValueError(f"{name}: expected num_neighbors to be 1 or more, or None, got {num_neighbors!r}")
    if num_taps is not None and not num_taps > 0:
        raise ValueError(f"{name}: expected num_taps > 0 or None, got {num_taps}")


def check_tensors(name: str, x: object, pos: object) -> None:
    """Checks that features and positions are real tensors, or pairs of them for sources and targets.

    Raises:
        TypeError: If they are something else.
    """
    for what, value in (("x", x), ("pos", pos)):
        if isinstance(value, Tensor) and not value.is_complex():
            continue
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
    """Checks a layer's input before any path runs.

    Values are checked once per plan, by the first layer that gets it. Features and positions are checked on the CPU
    only, because elsewhere it would wait for the device. A network checks its input in every pass
    (:func:`check_reused`).

    Raises:
        ValueError: If devices, shapes, types or sizes do not fit the layer or each other, a value is NaN or infinite,
            the clouds are not in order, or an edge ends at a point that does not exist.
    """
    channels = kernel.shape[-1]
    if x.dim() != 2 or x.size(1) != channels:
        raise ValueError(f"{name}: expected x [N, {channels}] beside pos, got {list(x.shape)}")
    pos, edge_index = plan.given_pos, plan.edge_index
    edges = edge_index.edge_index if isinstance(edge_index, Neighbors) else edge_index
    parameters = kernel.network.output.weight
    given = (x, *pos, *plan.batch, edges, weight, parameters)
    if len({t.device for t in given if t is not None}) > 1:
        ends, batch = (pos, plan.batch) if plan.is_bipartite else (pos[0], plan.batch[0])
        check_one_device(
            name, x=x, pos=ends, batch=batch, edge_index=edges, weight=weight, parameters=parameters
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
    if not plan.is_checked:
        _check_values(name, x, plan, weight)


def check_reused(name: str, x: Tensor, plan: PointPlan, weight: Tensor | None) -> None:
    """Checks features and weights that come with the plan of an earlier pass, because layers skip them.

    Raises:
        ValueError: If a value is NaN or infinite.
    """
    if plan.is_checked:
        given = (("x", x), ("weight", weight))
        _check_finite(
            name, [(what, t) for what, t in given if isinstance(t, Tensor)]
        )  # layers report what is not a tensor


def _check_values(name: str, x: Tensor, plan: PointPlan, weight: Tensor | None) -> None:
    if plan.is_traced:
        return
    if plan.edge_index is None:
        for p, batch, what in zip(plan.given_pos, plan.batch, ("batch", "batch of the targets"), strict=True):
            if batch is None:
                continue
            cloud_offsets(p, batch, 1, what)
            size = plan.batch_size
            if size is not None and batch.numel() and int(batch[-1]) >= size:
                raise ValueError(f"{name}: expected {what} below batch_size={size}, got {int(batch[-1])}")
    given = [("x", x), ("pos", plan.given_pos[0])]
    if plan.is_bipartite:
        given.append(("pos", plan.given_pos[1]))
    if weight is not None:
        given.append(("weight", weight))
    # values that are finite in float64 may be infinite in float32
    given += [
        (f"pos in {plan.dtype}", p) for p, q in zip(plan.pos, plan.given_pos, strict=True) if p is not q
    ]
    _check_finite(name, given)
    if isinstance(plan.edge_index, Tensor):
        _ = plan.neighbors  # raises if they are invalid
    plan.is_checked = True


def check_grid(name: str, x: Tensor) -> None:
    """Checks that all samples of a grid ``[B, C, *S]`` are finite: one that is not would spoil the statistics of all.

    Runs on the CPU only, where it takes 0.3 % of a small network's pass (4 x 3 x 32 x 32, ``ccnn_4_16``).

    Raises:
        ValueError: If a value is NaN or infinite.
    """
    _check_finite(name, [("x", x)], "samples")


def _check_finite(name: str, given: Sequence[tuple[str, Tensor]], of: str = "points") -> None:
    if is_traced():
        return
    for what, values in given:
        try:
            if values.device.type != "cpu" or bool(values.isfinite().all()):  # never wait for a device
                continue
        except RuntimeError:  # under torch.vmap, where the condition has many values
            return
        bad = ~values.isfinite().reshape(len(values), -1).all(dim=1)
        raise ValueError(
            f"{name}: expected {what} to be finite, got NaN or Inf in {int(bad.sum())} of {len(bad)} {of} "
            f"(first: number {int(bad.nonzero()[0])})"
        )
