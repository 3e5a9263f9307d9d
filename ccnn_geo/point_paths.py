"""The ways to sum over points: what each asks for, what it costs, and the choice between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ccnn_geo.continuous_kernel import ContinuousKernel
from ccnn_geo.functional.edge_conv import edge_conv
from ccnn_geo.functional.lattice_conv import lattice_conv, render, render_missing
from ccnn_geo.functional.mesh_conv import ORDER, mesh_conv, mesh_spacing
from ccnn_geo.point_plan import PointPlan
from ccnn_geo.regularization import record_edges, record_sample
from ccnn_geo.window import GaussianWindow

if TYPE_CHECKING:
    from ccnn_geo.continuous_conv import ContinuousConv

SAMPLE = 1 << 14
"""Edges that tell how many lie in a kernel's support."""
SMOOTH_THRESHOLD = 1e-3
"""Largest window value at the support's end for which "auto" takes the mesh: a jump has no band-limit."""
MAX_CELLS = 1 << 24
"""Largest lattice of a cloud for which "auto" takes the mesh."""


class Path(NamedTuple):
    """One way to sum over points."""

    obstacle: Callable[[ContinuousConv, PointPlan], str | None]
    """Why it cannot be taken, or ``None``."""
    seconds: Callable[[ContinuousConv, PointPlan], float]
    """Predicted time of a forward and backward pass on one CPU core; only ratios count."""
    sum: Callable[[ContinuousConv, Tensor, PointPlan, Tensor | None], Tensor]
    """The sum itself: layer, features ``[N, C]``, points, quadrature weights ``[N]`` to ``[M, C]``."""


@dataclass(frozen=True)
class Explanation:
    """Which path a layer takes, and why: predicted seconds of those possible, obstacles of the others."""

    method: str
    seconds: dict[str, float]
    obstacles: dict[str, str]

    def __str__(self) -> str:
        lines = [
            f"{name}: {s:.3g} s predicted" for name, s in sorted(self.seconds.items(), key=lambda i: i[1])
        ]
        lines += [f"{name}: not possible, {why}" for name, why in self.obstacles.items()]
        return "\n".join([f"method: {self.method}", *("  " + line for line in lines)])


def choose(conv: ContinuousConv, plan: PointPlan) -> Explanation:
    """The path for a layer on given points: the one asked for, or the cheapest.

    Raises:
        ValueError: If the path asked for cannot be taken.
    """
    if conv.needs_messages:
        why = "asked for" if conv.method == "plain" else "messages are needed for explanations, hooks or aggr"
        return Explanation("plain", {}, dict.fromkeys(CHEAP, why))
    if conv.method in CHEAP:
        why = CHEAP[conv.method].obstacle(conv, plan)
        if why is not None:
            raise ValueError(f"{type(conv).__name__}: method={conv.method!r} is not possible, {why}")
        return Explanation(conv.method, {conv.method: CHEAP[conv.method].seconds(conv, plan)}, {})
    obstacles = {name: path.obstacle(conv, plan) for name, path in CHEAP.items()}
    obstacles["mesh"] = obstacles["mesh"] or _roughness(conv.kernel)
    seconds = {n: path.seconds(conv, plan) for n, path in CHEAP.items() if obstacles[n] is None}
    return Explanation(
        min(seconds, key=seconds.__getitem__), seconds, {n: why for n, why in obstacles.items() if why}
    )


# What each path asks for --------------------------------------------------------------------------


def _edge_obstacle(conv: ContinuousConv, plan: PointPlan) -> str | None:
    return None


def _lattice_obstacle(conv: ContinuousConv, plan: PointPlan) -> str | None:
    if conv.dense:
        return "it is for depthwise kernels"
    if any(p.requires_grad for p in plan.pos):
        return "positions on a lattice have no gradient"
    if plan.lattice_spacing is None:
        where = "" if plan.pos[0].device.type == "cpu" else ", or their spacing was not declared"
        return f"the points lie on no common lattice{where}"
    return None


def _mesh_obstacle(conv: ContinuousConv, plan: PointPlan) -> str | None:
    if conv.dense:
        return "it is for depthwise kernels"
    if not plan.sees_all:
        return "it sums over all points of a cloud, and edges or num_neighbors are given"
    if conv.kernel.causal:
        return "a causal kernel has a jump at lag 0"
    if plan.spacing is None and not conv.kernel.max_frequency().isfinite().all():
        return f"a {type(conv.kernel.network).__name__} kernel states no band-limit, and no spacing is given"
    return None


def _roughness(kernel: ContinuousKernel) -> str | None:
    window = kernel.window
    if window is None:
        return "without a window the kernel ends in a jump"
    if type(window) is GaussianWindow and window.threshold > SMOOTH_THRESHOLD:
        return f"the window ends in a jump of {window.threshold:g} (window_threshold=1e-4 or window='tapered' do not)"
    return None


# What each path costs, in nanoseconds on one core of the machine of docs/performance.md ------------

LISTED_NS, FILTER_NS, PRODUCT_NS = 5.0, 2.0, 0.06
LATTICE_LISTED_NS, LATTICE_CHANNEL_NS = 40.0, 0.6
CELL_NS, SPREAD_NS = 1.0, 0.5


def _kernel_ns(conv: ContinuousConv) -> float:
    """Evaluating a kernel at one offset and using its values, forward and backward."""
    net = conv.kernel.network
    width, depth = net.basis_channels, net.num_layers
    products = depth * width**2 + conv.kernel.out_channels * (width + 1)
    return FILTER_NS * width * (depth + 1) + 4 * PRODUCT_NS * products


@torch.no_grad()
def _edges_inside(conv: ContinuousConv, plan: PointPlan) -> float:
    """Edges in the kernel's support, counted on a sample; all of them where counting would wait for a device."""
    if plan.sees_all:
        share = [min(1.0, 2 * s / e) if e > 0 else 1.0 for s, e in _axes(conv.kernel.support(), plan.extent)]
        return plan.num_pairs * math.prod(share)
    rel = plan.offsets
    if rel.device.type != "cpu" or rel.size(1) == 0:
        return float(rel.size(1))
    step = max(1, rel.size(1) // SAMPLE)
    return rel.size(1) * conv.kernel.inside(rel[:, ::step].mT).double().mean().item()


def _edge_seconds(conv: ContinuousConv, plan: PointPlan) -> float:
    inside = _edges_inside(conv, plan)
    listed = inside if plan.sees_all else plan.neighbors.num_edges
    return 1e-9 * (LISTED_NS * listed + _kernel_ns(conv) * inside)


def _lattice_seconds(conv: ContinuousConv, plan: PointPlan) -> float:
    inside = _edges_inside(conv, plan)
    reach = torch.minimum(conv.kernel.support().to(plan.extent), plan.extent)
    offsets = math.prod(
        2 * math.floor(r / h) + 1 for r, h in zip(reach.tolist(), plan.lattice_spacing, strict=True)
    )
    listed = inside if plan.sees_all else plan.neighbors.num_edges
    edges = LATTICE_LISTED_NS * listed + LATTICE_CHANNEL_NS * conv.in_channels * inside
    return 1e-9 * (edges + _kernel_ns(conv) * min(offsets, inside))


def _mesh_seconds(conv: ContinuousConv, plan: PointPlan) -> float:
    spacing = _mesh_step(conv, plan)
    reach = torch.minimum(conv.kernel.support().to(plan.extent), plan.extent)
    cells = math.prod(
        (e + r) / h + 2 * ORDER for e, r, h in zip(plan.extent.tolist(), reach.tolist(), spacing, strict=True)
    )
    if cells > MAX_CELLS:
        return math.inf
    taps = math.prod(2 * r / h + 1 for r, h in zip(reach.tolist(), spacing, strict=True))
    points = (plan.pos[0].size(0) + plan.pos[1].size(0)) * ORDER**plan.dim
    per_channel = CELL_NS * plan.num_clouds * cells * math.log2(max(2.0, cells)) + SPREAD_NS * points
    return 1e-9 * (conv.in_channels * per_channel + _kernel_ns(conv) * taps)


def _axes(support: Tensor, extent: Tensor) -> list[tuple[float, float]]:
    return list(zip(support.tolist(), extent.tolist(), strict=True))


def _mesh_step(conv: ContinuousConv, plan: PointPlan) -> tuple[float, ...]:
    """Spacing of the mesh, rounded down to a ladder of eight steps per octave so that layers share lattices."""
    if plan.spacing is not None:
        return plan.lattice_spacing
    return tuple(2.0 ** (math.floor(8 * math.log2(h)) / 8) for h in mesh_spacing(conv.kernel))


# The sums ------------------------------------------------------------------------------------------


def _sum_messages(conv: ContinuousConv, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
    record_edges(conv.kernel, plan.pos, *plan.ends())
    return conv.sum_messages(x, plan, weight)


def _sum_edges(conv: ContinuousConv, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
    neighbors, rel = plan.edges_within(conv.kernel.support())
    record_edges(conv.kernel, plan.pos, *neighbors.edge_index)
    return edge_conv(x, *plan.pos, neighbors, conv.kernel, weight, dense=conv.dense, rel=rel)


def _sum_lattice(conv: ContinuousConv, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
    record_edges(conv.kernel, plan.pos, *plan.neighbors.edge_index)
    if weight is not None:
        x = x * weight.unsqueeze(-1)
    if not conv.remembers_kernel:
        return lattice_conv(x, *render(conv.kernel, plan.lattice))
    offsets = plan.lattice.only(conv.kernel.inside(plan.lattice.rel))
    key = ("lattice", plan.lattice_spacing)
    keys, rows = conv.remember(key, lambda: (offsets.keys[:0], x.new_empty(0, x.size(1))))
    table, keys, rows = render_missing(conv.kernel, offsets, keys, rows)
    conv.kernel_cache.replace(key, (keys, rows))
    return lattice_conv(x, table, offsets)


def _sum_mesh(conv: ContinuousConv, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
    record_sample(conv.kernel, plan)
    geometry = plan.mesh(_mesh_step(conv, plan), ORDER)
    return mesh_conv(x, *plan.pos, conv.kernel, geometry=geometry, weight=weight)


CHEAP: dict[str, Path] = {
    "edge": Path(_edge_obstacle, _edge_seconds, _sum_edges),
    "lattice": Path(_lattice_obstacle, _lattice_seconds, _sum_lattice),
    "mesh": Path(_mesh_obstacle, _mesh_seconds, _sum_mesh),
}
"""What "auto" chooses from."""

SUMS = {name: path.sum for name, path in CHEAP.items()} | {"plain": _sum_messages}
