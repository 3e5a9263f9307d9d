"""The ways to sum over points: what each asks for, and the choice between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ccnn_geo.functional.edge.conv import edge_conv
from ccnn_geo.functional.lattice.conv import lattice_conv, render, render_missing
from ccnn_geo.functional.mesh.band import check_spacing, mesh_spacing
from ccnn_geo.functional.mesh.conv import ORDER, mesh_conv, mesh_error
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.kernels.window import GaussianWindow
from ccnn_geo.nn.conv.costs import edge_seconds, lattice_seconds, mesh_seconds
from ccnn_geo.nn.conv.kernel_norms import record_points
from ccnn_geo.nn.conv.plan import PointPlan

if TYPE_CHECKING:
    from ccnn_geo.nn.conv.base import ContinuousConv

SMOOTH_THRESHOLD = 1e-3
"""Largest window value at the support's end for which "auto" takes the mesh: a jump has no band-limit."""


class Candidate(NamedTuple):
    """One way to sum over given points with a given kernel."""

    seconds: Callable[[], float]
    """Predicted time of a forward and backward pass on one CPU core; only ratios count."""
    sum: Callable[[Tensor, Tensor | None], Tensor]
    """The sum itself: features ``[N, C]`` and quadrature weights ``[N]`` of the sources to ``[M, C]``."""


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


def choose(conv: ContinuousConv, plan: PointPlan) -> Candidate:
    """The path asked for, or the cheapest.

    Raises:
        ValueError: If the path asked for is not possible.
    """
    if conv.needs_messages:
        return _plain(conv, plan)
    if torch.compiler.is_compiling():  # costs and lattices are read off numbers, of which a graph has none
        return _edge(conv, plan)
    if conv.method in PATHS:
        found = PATHS[conv.method](conv, plan)
        if isinstance(found, str):
            raise ValueError(f"{type(conv).__name__}: method={conv.method!r} is not possible, {found}")
        return found
    candidates, _ = _look_around(conv, plan)
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    return min(candidates.values(), key=lambda c: c.seconds())


def explain(conv: ContinuousConv, plan: PointPlan) -> Explanation:
    """What :func:`choose` does, in words and figures."""
    candidates, obstacles = _look_around(conv, plan)
    seconds = {name: c.seconds() for name, c in candidates.items()}
    if conv.needs_messages:
        return Explanation("plain", seconds, obstacles)
    if conv.method in PATHS:
        choose(conv, plan)
        return Explanation(conv.method, seconds, obstacles)
    return Explanation(min(seconds, key=seconds.__getitem__), seconds, obstacles)


def _look_around(conv: ContinuousConv, plan: PointPlan) -> tuple[dict[str, Candidate], dict[str, str]]:
    """What "auto" chooses from, and why not from the rest."""
    rough = _roughness(conv.kernel) if plan.sees_all else None  # before the mesh measures the kernel's band
    found = {
        name: rough if name == "mesh" and rough is not None else path(conv, plan)
        for name, path in PATHS.items()
    }
    return (
        {name: f for name, f in found.items() if not isinstance(f, str)},
        {name: f for name, f in found.items() if isinstance(f, str)},
    )


# The paths: a candidate each, or the reason why not ------------------------------------------------


def _plain(conv: ContinuousConv, plan: PointPlan) -> Candidate:
    def run(x: Tensor, weight: Tensor | None) -> Tensor:
        record_points(conv.kernel, plan)
        return conv.sum_messages(x, plan, weight)

    return Candidate(lambda: math.inf, run)


def _edge(conv: ContinuousConv, plan: PointPlan) -> Candidate:
    def run(x: Tensor, weight: Tensor | None) -> Tensor:
        neighbors, offsets = plan.edges_within(conv.kernel.support())
        record_points(conv.kernel, plan)
        return edge_conv(x, *plan.pos, neighbors, conv.kernel, weight, dense=conv.dense, offsets=offsets)

    return Candidate(lambda: edge_seconds(conv, plan), run)


def _lattice(conv: ContinuousConv, plan: PointPlan) -> Candidate | str:
    if conv.dense:
        return "it is for depthwise kernels"
    if any(p.requires_grad for p in plan.pos):
        return "positions on a lattice have no gradient"
    spacing = plan.lattice_spacing
    if spacing is None:
        where = "" if plan.pos[0].device.type == "cpu" else ", or their spacing was not declared"
        return f"the points lie on no common lattice{where}"

    def run(x: Tensor, weight: Tensor | None) -> Tensor:
        record_points(conv.kernel, plan)
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

    return Candidate(lambda: lattice_seconds(conv, plan, spacing), run)


def _mesh(conv: ContinuousConv, plan: PointPlan) -> Candidate | str:
    if conv.dense:
        return "it is for depthwise kernels"
    if not plan.sees_all:
        return "it sums over all points of a cloud, and edges or num_neighbors are given"
    if conv.kernel.causal:
        return "a causal kernel has a jump at lag 0"
    try:
        spacing = conv.remember(("mesh", plan.spacing), lambda: _mesh_step(conv, plan))
    except ValueError as error:
        return str(error)

    def run(x: Tensor, weight: Tensor | None) -> Tensor:
        record_points(conv.kernel, plan)
        geometry = plan.mesh(spacing, ORDER)
        memory: dict[Hashable, Tensor] | None = None
        if conv.remembers_kernel:
            memory = conv.remember(("spectra", spacing), dict)
        return mesh_conv(x, *plan.pos, conv.kernel, geometry=geometry, weight=weight, memory=memory)

    return Candidate(lambda: mesh_seconds(conv, plan, spacing), run)


PATHS: dict[str, Callable[[ContinuousConv, PointPlan], Candidate | str]] = {
    "edge": _edge,
    "lattice": _lattice,
    "mesh": _mesh,
}
"""The fast paths by name; "plain" is what they are compared with."""


def _roughness(kernel: ContinuousKernel) -> str | None:
    """Why "auto" does not take the mesh for a kernel: on request it does, and its error says so."""
    window = kernel.window
    if window is None:
        return "without a window the kernel ends in a jump"
    if type(window) is GaussianWindow and window.threshold > SMOOTH_THRESHOLD:
        return f"the window ends in a jump of {window.threshold:g} (window_threshold=1e-4 or window='tapered' do not)"
    return None


def _mesh_step(conv: ContinuousConv, plan: PointPlan) -> tuple[float, ...]:
    """Spacing of the mesh, rounded down to a ladder of eight steps per octave so that layers share lattices."""
    given = None if plan.spacing is None else plan.lattice_spacing
    if given is not None:
        check_spacing(conv.kernel, given)
        return given
    return tuple(2.0 ** (math.floor(8 * math.log2(h)) / 8) for h in mesh_spacing(conv.kernel))


def sampled_mesh_error(
    conv: ContinuousConv, x: Tensor, plan: PointPlan, weight: Tensor | None, samples: int
) -> float:
    """Error of the mesh path at random targets.

    Raises:
        ValueError: If that path is not possible.
    """
    found = _mesh(conv, plan)
    if isinstance(found, str):
        raise ValueError(f"{type(conv).__name__}.mesh_error: the mesh is not possible, {found}")
    target, batch_dst = (None, None) if plan.is_square else (plan.pos[1], plan.batch[1])
    spacing = _mesh_step(conv, plan)
    return mesh_error(
        x, plan.pos[0], target, conv.kernel, plan.batch[0], batch_dst, weight, samples, spacing=spacing
    )
