"""The paths: ways to sum over points. Each is an object with a name, an obstacle, a cost and a call."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ccnn_geo.functional.edge.conv import edge_conv
from ccnn_geo.functional.lattice.conv import lattice_conv, render, render_missing
from ccnn_geo.functional.mesh.band import check_spacing, mesh_spacing
from ccnn_geo.functional.mesh.conv import ORDER, mesh_conv, mesh_error
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.kernels.window import GaussianWindow
from ccnn_geo.nn.conv.costs import edge_seconds, lattice_seconds, mesh_seconds
from ccnn_geo.nn.conv.plan import PointPlan

SMOOTH_THRESHOLD = 1e-3
"""Largest window value at the end of the support for which "auto" takes the mesh: a jump has no band limit."""


class Path(ABC):
    """One way to sum over given points with a given kernel.

    Args:
        kernel: The continuous kernel.
        plan: The points and their neighbours.
    """

    name: ClassVar[str]
    sees_all: ClassVar[bool] = False
    """Whether the path requires targets that see every source of their cloud."""

    def __init__(self, kernel: ContinuousKernel, plan: PointPlan) -> None:
        self.kernel, self.plan = kernel, plan

    def obstacle(self, asked: bool = True) -> str | None:
        """The reason why this path is not possible; ``None`` if it is.

        Args:
            asked: Whether the user asked for it by name; ``method="auto"`` is stricter.
        """
        return None

    @abstractmethod
    def seconds(self) -> float:
        """Predicted time of a forward and backward pass on one CPU core, or a measured device; only ratios count."""

    @abstractmethod
    def __call__(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """Maps features ``[N, C]`` and weights ``[N]`` of the sources to sums ``[M, C]`` at the targets."""


class EdgePath(Path):
    """Computes a kernel value per edge, in chunks or in one compiled loop: exact and always possible."""

    name = "edge"

    def seconds(self) -> float:
        return edge_seconds(self.kernel, self.plan)

    def __call__(self, x: Tensor, weight: Tensor | None) -> Tensor:
        kernel, plan = self.kernel, self.plan
        if plan.sees_all:
            neighbors, offsets = plan.edges_within(kernel.support())
        else:
            neighbors, offsets = plan.neighbors, lambda: plan.offsets
        return edge_conv(x, *plan.pos, neighbors, kernel, weight, kernel.is_dense, offsets=offsets)


class LatticePath(Path):
    """Computes a kernel value per distinct offset of points on a lattice: exact."""

    name = "lattice"

    def obstacle(self, asked: bool = True) -> str | None:
        if self.kernel.is_dense:
            return "it needs a depthwise kernel"
        if True in [p.requires_grad for p in self.plan.pos]:
            return "positions on a lattice have no gradient"
        if self.plan.lattice_spacing is None:
            where = "" if self.plan.pos[0].device.type == "cpu" else ", or their spacing was not declared"
            return f"the points lie on no common lattice{where}"
        return None

    def seconds(self) -> float:
        spacing = self.plan.lattice_spacing
        return math.inf if spacing is None else lattice_seconds(self.kernel, self.plan, spacing)

    def __call__(self, x: Tensor, weight: Tensor | None) -> Tensor:
        kernel, lattice = self.kernel, self.plan.lattice
        if weight is not None:
            x = x * weight.unsqueeze(-1)
        if not kernel.is_fixed:
            return lattice_conv(x, *render(kernel, lattice))
        offsets = lattice.only(kernel.inside(lattice.rel))
        key = ("lattice", self.plan.lattice_spacing)
        keys, rows = kernel.remember(key, lambda: (offsets.keys[:0], x.new_empty(0, x.size(1))))
        table, keys, rows = render_missing(kernel, offsets, keys, rows)
        kernel.cache.replace(key, (keys, rows))
        return lattice_conv(x, table, offsets)


class MeshPath(Path):
    """Sums over all points of a cloud on a regular mesh, in N log N: exact to a stated error."""

    name = "mesh"
    sees_all = True

    _step: tuple[float, ...] | None = None

    def obstacle(self, asked: bool = True) -> str | None:
        if not self.plan.sees_all:
            return "it sums over all points of a cloud, and edges or num_neighbors are given"
        if not asked and (jump := self._jump()) is not None:
            return jump
        if self.kernel.is_dense:
            return "it needs a depthwise kernel"
        if self.kernel.causal:
            return "a causal kernel has a jump at lag 0"
        try:
            _ = self.step
        except ValueError as error:
            return str(error)
        return None

    def _jump(self) -> str | None:
        """Describes a jump, which leaves the kernel without a band limit; only ``method="mesh"`` accepts one."""
        window = self.kernel.window
        if window is None:
            return "without a window the kernel ends in a jump"
        if type(window) is GaussianWindow and window.threshold > SMOOTH_THRESHOLD:
            return (
                f"the window ends in a jump of {window.threshold:g} "
                "(window_threshold=1e-4 or window='tapered' avoids it)"
            )
        return None

    @property
    def step(self) -> tuple[float, ...]:
        """Spacing of the mesh, rounded down to one of eight steps per octave so that layers share lattices.

        Raises:
            ValueError: If the kernel's band limit needs a finer mesh than was declared.
        """
        if self._step is None:
            self._step = self.kernel.remember(("mesh", self.plan.spacing), self._find_step)
        return self._step

    def _find_step(self) -> tuple[float, ...]:
        given = None if self.plan.spacing is None else self.plan.lattice_spacing
        if given is not None:
            check_spacing(self.kernel, given)
            return given
        return tuple(2.0 ** (math.floor(8 * math.log2(h)) / 8) for h in mesh_spacing(self.kernel))

    def seconds(self) -> float:
        return mesh_seconds(self.kernel, self.plan, self.step)

    def __call__(self, x: Tensor, weight: Tensor | None) -> Tensor:
        kernel, geometry = self.kernel, self.plan.mesh(self.step, ORDER)
        memory: dict[Hashable, Tensor] | None = None
        if kernel.is_fixed:
            memory = kernel.remember(("spectra", self.step), dict)
        return mesh_conv(x, *self.plan.pos, kernel, geometry=geometry, weight=weight, memory=memory)

    def error(self, x: Tensor, weight: Tensor | None, samples: int) -> float:
        """Relative l2 error against the float64 sum over all points, at random targets."""
        plan = self.plan
        target, batch_dst = (plan.pos[1], plan.batch[1]) if plan.is_bipartite else (None, None)
        given = (plan.batch[0], batch_dst, weight, samples)
        return mesh_error(x, plan.pos[0], target, self.kernel, *given, spacing=self.step)


class MessagePath(Path):
    """Sends PyTorch Geometric messages, one kernel per edge: the definition that the other paths are tested against.

    Args:
        kernel: The continuous kernel.
        plan: The points and their neighbours.
        propagate: Sends the messages and adds them up.
    """

    name = "plain"

    def __init__(
        self,
        kernel: ContinuousKernel,
        plan: PointPlan,
        propagate: Callable[[Tensor, PointPlan, Tensor | None], Tensor],
    ) -> None:
        super().__init__(kernel, plan)
        self.propagate = propagate

    def seconds(self) -> float:
        return math.inf

    def __call__(self, x: Tensor, weight: Tensor | None) -> Tensor:
        return self.propagate(x, self.plan, weight)


PATHS: dict[str, type[Path]] = {path.name: path for path in (EdgePath, LatticePath, MeshPath)}
"""The fast paths by name."""


@dataclass(frozen=True)
class Explanation:
    """The path that a layer takes, and why: predicted seconds of possible paths, obstacles of the others.

    Example:
        >>> from ccnn_geo import SepFlexConv
        >>> found = SepFlexConv(8, 8, dim=2).explain_plan(torch.rand(50, 2))
        >>> found.method in found.seconds
        True
    """

    method: str
    seconds: dict[str, float]
    obstacles: dict[str, str]

    def __str__(self) -> str:
        lines = [
            f"{name}: {s:.3g} s predicted" for name, s in sorted(self.seconds.items(), key=lambda i: i[1])
        ]
        lines += [f"{name}: not possible, {why}" for name, why in self.obstacles.items()]
        return "\n".join([f"method: {self.method}", *("  " + line for line in lines)])


def choose(method: str, kernel: ContinuousKernel, plan: PointPlan, name: str) -> Path:
    """Returns the requested path, or the cheapest; ``name`` is the layer's name for error messages.

    Raises:
        ValueError: If the requested path is not possible.
    """
    if plan.is_traced:  # costs and lattices depend on values, which a traced graph does not have
        return EdgePath(kernel, plan)
    if method in PATHS:
        path = PATHS[method](kernel, plan)
        if (why := path.obstacle()) is not None:
            raise ValueError(f"{name}: method={method!r} is not possible, {why}")
        return path
    paths = [make(kernel, plan) for make in PATHS.values() if plan.sees_all or not make.sees_all]
    possible = [path for path in paths if path.obstacle(asked=False) is None]
    return possible[0] if len(possible) == 1 else min(possible, key=lambda path: path.seconds())


def explain(method: str, kernel: ContinuousKernel, plan: PointPlan, name: str, messages: bool) -> Explanation:
    """Explains the choice of :func:`choose`; with ``messages`` the layer takes :class:`MessagePath`."""
    paths = [make(kernel, plan) for make in PATHS.values()]
    obstacles = {path.name: path.obstacle(asked=False) for path in paths}
    seconds = {path.name: path.seconds() for path in paths if obstacles[path.name] is None}
    known = {name: why for name, why in obstacles.items() if why is not None}
    if messages:
        return Explanation("plain", seconds, known)
    if method in PATHS:
        return Explanation(choose(method, kernel, plan, name).name, seconds, known)
    return Explanation(min(seconds, key=seconds.__getitem__), seconds, known)
