"""The base of all layers: the sum over neighbours, on grids and on points."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import MessagePassing
from ccnn_geo._base.sending import made_on
from ccnn_geo.functional.representations import grid_spacing
from ccnn_geo.kernels.config import KernelConfig
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors import Neighbors
from ccnn_geo.nn.conv.checks import check_layer, check_points, check_tensors
from ccnn_geo.nn.conv.fit import fit_to_grid, fit_to_points
from ccnn_geo.nn.conv.grid import GridSum
from ccnn_geo.nn.conv.kernel_norms import ignore_kernel_norms, record_points
from ccnn_geo.nn.conv.measures import MEASURES, Measure
from ccnn_geo.nn.conv.paths import Explanation, MeshPath, MessagePath, Path, choose, explain
from ccnn_geo.nn.conv.plan import PointPlan
from ccnn_geo.nn.conv.unit_variance import UnitVariance, take_unscaled_weights
from ccnn_geo.nn.old_keys import accept_old_keys

OLD_KEYS = {
    "effective_taps": "scale.moment",
    "reference_spacing": "grid.reference_spacing",
    "quadrature.": "measure.",
}
"""Buffers of format 1."""


class ContinuousConv(MessagePassing, ABC):
    r"""Base of :class:`SepFlexConv` and :class:`FlexConv`: the sum over neighbours, in every domain.

    .. math::
        y(p_i) = \sum_{j \in \mathcal N(i)} w_j \, k(p_i - p_j) \, x(p_j)

    On points :math:`\mathcal N(i)` comes from ``edge_index``; on a grid it is the whole grid and the sum
    is an (FFT) convolution. Both evaluate the same
    :class:`~ccnn_geo.kernels.continuous.ContinuousKernel`, so both give the same numbers at the same positions.

    The kernel is scaled once, by :math:`1/\sqrt{|\Omega|}`, so that the output has unit variance (Sec. 4.1).
    :math:`|\Omega|` is ``num_taps`` if given. Otherwise it is the mean square of the first batch's unscaled
    output, which equals the number of taps for white signals and adapts to correlated ones.

    The layer has four parts: ``kernel`` (network, window and domain), ``scale`` (the scale above), ``measure``
    (the weights :math:`w_j`) and ``grid`` (the sum over a grid). Sums over points are
    :mod:`paths <ccnn_geo.nn.conv.paths>`.

    Example:
        >>> from ccnn_geo import SepFlexConv
        >>> issubclass(SepFlexConv, ContinuousConv)
        True
    """

    dense: ClassVar[bool]
    kernel: ContinuousKernel
    scale: UnitVariance
    measure: Measure
    grid: GridSum

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dim: int,
        config: KernelConfig | None = None,
        *,
        num_neighbors: int | None = 256,
        method: str = "auto",
        measure: str = "uniform",
        num_taps: float | None = None,
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        changes, kwargs = KernelConfig.split(kwargs)
        kwargs.setdefault("aggr", "add")
        super().__init__(**kwargs)
        check_layer(
            type(self).__name__, in_channels, out_channels, dim, num_neighbors, method, measure, num_taps
        )
        if groups != 1 and self.dense:
            raise ValueError(f"{type(self).__name__}: expected no groups of a dense kernel, got {groups}")
        self.groups = groups
        self.in_channels, self.out_channels, self.dim = in_channels, out_channels, dim
        self.num_neighbors, self.method, self.num_taps = num_neighbors, method, num_taps
        shape = (out_channels, in_channels) if self.dense else in_channels
        self.kernel = ContinuousKernel(dim, shape, config, **changes)
        self.scale = UnitVariance()
        self.measure = MEASURES[measure]()
        self.grid = GridSum(dim, method)
        accept_old_keys(self, OLD_KEYS)
        take_unscaled_weights(self, "kernel.network.output.weight")
        self.make_mixer()
        self.reset_parameters()

    # For layers to fill in ------------------------------------------------------------------------

    @abstractmethod
    def make_mixer(self) -> None:
        """Adds the parameters of :meth:`mix`."""

    @abstractmethod
    def reset_mixer(self) -> None:
        """Draws new parameters for :meth:`mix`."""

    @abstractmethod
    def mix(self, y: Tensor) -> Tensor:
        """Turns the sums over neighbours into the layer's output, on points and on grids."""

    def reset_parameters(self) -> None:
        """Draws new parameters and forgets everything the first batch has set."""
        self.kernel.reset_parameters()
        self.scale.reset_parameters()
        self.grid.reset_parameters()
        self.measure.reset_parameters()
        if self.num_taps is not None:
            self.set_scale(self.num_taps * (self.in_channels if self.dense else 1))
        self.reset_mixer()

    def set_scale(self, moment: Tensor | float | None) -> None:
        """Divides the kernel by the root of a mean square and remembers it; ``None`` changes nothing."""
        self.scale.divide(self.kernel.network.output, moment)

    def train(self, mode: bool = True) -> ContinuousConv:
        """Sets the mode; compiled evaluation uses the support that was learned."""
        if not mode:
            self.grid.learned(self.kernel)
        return super().train(mode)

    # Sums -----------------------------------------------------------------------------------------

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        pos: Tensor | tuple[Tensor, Tensor] | None = None,
        edge_index: Tensor | Neighbors | PointPlan | None = None,
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        weight: Tensor | None = None,
        spacing: float | Sequence[float] | None = None,
    ) -> Tensor:
        """Convolves a grid (``x`` alone) or points (``x`` and ``pos``).

        Args:
            x: Features; for the bipartite form a pair, where the second entry is unused.
            pos: Positions; for the bipartite form a pair: sources and targets.
            edge_index: Edges from source to target, a :class:`~ccnn_geo.neighbors.Neighbors`, or a
                :class:`~ccnn_geo.nn.conv.plan.PointPlan`. Without it, each target sees all points of its cloud
                (``method="edge"``: the ``num_neighbors`` nearest).
            batch: Cloud of each point, or of each source and target, if there are no edges.
            weight: Quadrature weights of the sources.
            spacing: Distance between the cells of a grid; by default its longest axis covers [-1, 1]. For points,
                the step of the lattice they lie on, or of the mesh (``method="mesh"``).
        """
        return self.mix(self.aggregate_neighbors(x, pos, edge_index, batch, weight, spacing))

    def aggregate_neighbors(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        pos: Tensor | tuple[Tensor, Tensor] | None = None,
        edge_index: Tensor | Neighbors | PointPlan | None = None,
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        weight: Tensor | None = None,
        spacing: float | Sequence[float] | None = None,
    ) -> Tensor:
        """The sum over neighbours without :meth:`mix`; arguments as in :meth:`forward`."""
        parameters = self.kernel.network.output.weight
        dtype = parameters.dtype
        if dtype not in (torch.float32, torch.float64):
            raise TypeError(
                f"{type(self).__name__}: expected float32 or float64 parameters, got {dtype}; kernels of relative "
                "positions need them, use torch.autocast for the rest"
            )
        check_tensors(type(self).__name__, x, pos)
        x_src = x if isinstance(x, Tensor) else x[0]
        if x_src.device != parameters.device:
            check_one_device(type(self).__name__, x=x, pos=pos, parameters=parameters)
        x_src = x_src.to(dtype)
        with torch.autocast(x_src.device.type, enabled=False):  # omega . r and FFTs need full precision
            if pos is None:
                given = {"edge_index": edge_index, "batch": batch, "weight": weight}
                extra = [name for name, value in given.items() if value is not None]
                if extra:
                    raise ValueError(
                        f"{type(self).__name__}: a grid takes no {' or '.join(extra)}; give pos for points"
                    )
                return self._on_grid(x_src, spacing)
            plan = self.plan(pos, edge_index, batch, spacing)
            if plan.sees_all:
                return self._beside(x_src, plan, weight)
            return self._on_points(x_src, plan, weight)

    def _on_grid(self, x: Tensor, spacing: float | Sequence[float] | None) -> Tensor:
        if x.dim() != self.dim + 2 or x.size(1) != self.in_channels:
            raise ValueError(
                f"{type(self).__name__}: expected a grid [batch, {self.in_channels}, "
                f"{', '.join(f'S{d}' for d in range(self.dim))}], got {list(x.shape)}; "
                "for points give pos as well"
            )
        size = x.shape[2:]
        step = grid_spacing(size, spacing)
        if not self.kernel.is_fit:
            fit_to_grid(self.kernel, size, step)
        known = self.scale.known or self.scale.is_known
        if self.training:
            self.kernel.observe(
                made_on(self.kernel.domain, [(s - 1) * h for s, h in zip(size, step, strict=True)])
            )
        if self.training or not known:
            self.grid.refer_to(step)
        if not known:
            with torch.no_grad(), ignore_kernel_norms():
                self.set_scale(self.scale.measure(self.grid(x, step, self.kernel), centered=False))
        return self.grid(x, step, self.kernel)

    def _on_points(self, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
        check_points(type(self).__name__, self.kernel, x, plan, weight)
        if not self.kernel.is_fit:
            fit_to_points(self.kernel, plan)
        weight = self.point_weights(plan) if weight is None else weight
        weight = None if weight is None else weight.to(x.dtype)
        if self.training:
            self.kernel.observe(plan.extent)
        path: Path
        if self.needs_messages:
            path = MessagePath(self.kernel, plan, self.send_messages)
        else:
            path = choose(self.method, self.kernel, plan, type(self).__name__)
        if not self.scale.known and not self.scale.is_known:
            with torch.no_grad(), ignore_kernel_norms():
                self.set_scale(self.scale.measure(path(x, weight), centered=False))
        record_points(self.kernel, plan)
        return path(x, weight)

    @torch.compiler.disable
    def _beside(self, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
        """Stays out of compiled graphs: the size of a mesh, and which points reach which, depend on values."""
        return self._on_points(x, plan, weight)

    def point_weights(self, plan: PointPlan) -> Tensor | None:
        """Weights ``[N]`` that the layer's measure gives a plan's sources; ``None`` if all weigh 1."""
        return None if self.measure.name == "uniform" else self.measure(plan, self.kernel.support())

    def kernel_taps(
        self, size: Sequence[int], spacing: float | Sequence[float] | None = None
    ) -> tuple[Tensor, tuple[int, ...]]:
        """Offsets of the kernel's taps on a grid, ``[*K, D]``, and the index of offset zero."""
        return self.grid.taps(self.kernel, size, spacing)

    # Messages: the definition ---------------------------------------------------------------------

    def send_messages(self, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
        """The sum over neighbours, computed by PyG's ``propagate``."""
        if self.flow != "source_to_target":
            # the plan has already turned the edges, and in this flow PyG mixes up pairs of inputs
            turned = copy.copy(self)
            turned.flow = "source_to_target"
            return turned.send_messages(x, plan, weight)
        edges, size = torch.stack(plan.ends()), (plan.pos[0].size(0), plan.pos[1].size(0))
        weights = None if weight is None else (weight.unsqueeze(-1), None)
        return self.propagate(edges, x=(x, None), pos=plan.pos, weight=weights, size=size)

    def message(self, x_j: Tensor, pos_i: Tensor, pos_j: Tensor, weight_j: Tensor | None) -> Tensor:
        """The readable definition, one kernel per edge; the fast paths are tested against it."""
        kernel = self.kernel.definition(pos_i - pos_j)
        if weight_j is not None:
            x_j = x_j * weight_j
        if self.dense:
            return torch.einsum(
                "eoc,ec->eo", kernel.unflatten(-1, (self.out_channels, self.in_channels)), x_j
            )
        return kernel * x_j

    @property
    def needs_messages(self) -> bool:
        """Whether PyG messages are needed: on request, for explanations, hooks and other aggregations."""
        hooks = (
            self._propagate_forward_pre_hooks,
            self._propagate_forward_hooks,
            self._message_forward_pre_hooks,
            self._message_forward_hooks,
            self._aggregate_forward_pre_hooks,
            self._aggregate_forward_hooks,
        )
        return self.method == "plain" or bool(self.explain) or self.aggr not in ("add", "sum") or any(hooks)

    # Plans ----------------------------------------------------------------------------------------

    def plan(
        self,
        pos: Tensor | tuple[Tensor, Tensor],
        edge_index: Tensor | Neighbors | PointPlan | None = None,
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        spacing: float | Sequence[float] | None = None,
    ) -> PointPlan:
        """Everything this layer needs to know about the points; arguments as in :meth:`forward`."""
        if isinstance(edge_index, PointPlan):
            return edge_index
        return PointPlan(
            pos,
            batch,
            edge_index,
            num_neighbors=self.num_neighbors if self.method == "edge" else None,
            spacing=spacing,
            flow=self.flow,
            dtype=self.kernel.network.output.weight.dtype,
        )

    def explain_plan(
        self,
        pos: Tensor | tuple[Tensor, Tensor],
        edge_index: Tensor | Neighbors | PointPlan | None = None,
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        spacing: float | Sequence[float] | None = None,
    ) -> Explanation:
        """Explains which path :meth:`forward` takes on these points, and the cost or obstacle of each other path.

        Example:
            >>> from ccnn_geo import SepFlexConv
            >>> conv = SepFlexConv(16, 16, dim=3)
            >>> conv.explain_plan(torch.rand(100, 3)).method
            'edge'
        """
        plan = self.plan(pos, edge_index, batch, spacing)
        return explain(self.method, self.kernel, plan, type(self).__name__, self.needs_messages)

    @torch.no_grad()
    def mesh_error(
        self,
        x: Tensor,
        pos: Tensor | tuple[Tensor, Tensor],
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        weight: Tensor | None = None,
        spacing: float | Sequence[float] | None = None,
        samples: int = 256,
    ) -> float:
        """Relative l2 error of ``method="mesh"`` against the float64 sum over all points, at random targets.

        Takes O(samples N) time; see :func:`~ccnn_geo.functional.mesh.conv.mesh_error`.
        """
        plan = PointPlan(pos, batch, spacing=spacing, dtype=self.kernel.network.output.weight.dtype)
        check_points(type(self).__name__, self.kernel, x, plan, weight)
        path = MeshPath(self.kernel, plan)
        if (why := path.obstacle()) is not None:
            raise ValueError(f"{type(self).__name__}.mesh_error: the mesh is not possible, {why}")
        return path.error(x.to(plan.dtype), weight, samples)

    def __repr__(self) -> str:
        causal = ", causal=True" if self.kernel.causal else ""
        return (
            f"{type(self).__name__}({self.in_channels}, {self.out_channels}, dim={self.dim}, "
            f"kernel={type(self.kernel.network).__name__}, num_neighbors={self.num_neighbors}{causal})"
        )
