"""The sum over points: which plan, measure and path a layer takes, and its definition as messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ccnn_geo._base.pyg import MessagePassing
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors import Neighbors
from ccnn_geo.nn.conv.checks import check_points
from ccnn_geo.nn.conv.kernel_norms import ignore_kernel_norms
from ccnn_geo.nn.conv.paths import Explanation, choose, explain, sampled_mesh_error
from ccnn_geo.nn.conv.plan import PointPlan
from ccnn_geo.nn.conv.quadrature import QuadratureMeasure, point_measure
from ccnn_geo.nn.conv.unit_variance import FirstBatchScale


class PointSums(FirstBatchScale, MessagePassing):
    """The part of :class:`~ccnn_geo.nn.conv.base.ContinuousConv` that acts on points."""

    kernel: ContinuousKernel
    quadrature: QuadratureMeasure | None
    in_channels: int
    out_channels: int
    num_neighbors: int | None
    method: str
    measure: str
    dense: bool
    flow: str
    propagate: Callable[..., Tensor]

    def sum_on_points(self, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
        """The sum over neighbours, by the path that :func:`~ccnn_geo.nn.conv.paths.choose` finds."""
        if torch.compiler.is_compiling() and plan.sees_all:
            return self._sum_beside(x, plan, weight)
        return self._sum_on_points(x, plan, weight)

    @torch.compiler.disable
    def _sum_beside(self, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
        """Outside of a compiler's graph: how large a mesh is, and which points reach which, depends on numbers."""
        return self._sum_on_points(x, plan, weight)

    def _sum_on_points(self, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
        check_points(self, x, plan, weight)
        weight = self.point_weights(plan) if weight is None else weight
        weight = None if weight is None else weight.to(x.dtype)
        if self.training:
            self.kernel.observe(plan.extent)
        path = choose(self, plan)
        if not self.is_scaled:
            with torch.no_grad(), ignore_kernel_norms():
                self.measure_scale(path.sum(x, weight), centered=False)
        return path.sum(x, weight)

    def point_weights(self, plan: PointPlan) -> Tensor | None:
        """Weights of a plan's sources by the layer's measure, ``[N]``; ``None`` for 1 each."""
        return None if self.measure == "uniform" else self._measured_weights(plan)

    @torch.compiler.disable
    def _measured_weights(self, plan: PointPlan) -> Tensor | None:
        if self.quadrature is not None:
            return self.quadrature(plan, self.kernel.support())
        return point_measure(self.measure, plan)

    def sum_messages(self, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
        """The sum over neighbours by PyG's ``propagate``."""
        weights = None if weight is None else (weight.unsqueeze(-1), None)
        size = (plan.pos[0].size(0), plan.pos[1].size(0))
        # The edges are turned the usual way round already: PyG mixes up pairs of inputs in the other flow.
        flow, self.flow = self.flow, "source_to_target"
        try:
            return self.propagate(
                torch.stack(plan.ends()), x=(x, None), pos=plan.pos, weight=weights, size=size
            )
        finally:
            self.flow = flow

    def message(self, x_j: Tensor, pos_i: Tensor, pos_j: Tensor, weight_j: Tensor | None) -> Tensor:
        """The readable definition, one kernel per edge; the oracle of the fast paths."""
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
        """Whether messages must be formed: on request, for explanations, hooks and other aggregations."""
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
        """What this layer needs to know of the points; see :meth:`forward`."""
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
        """Which path :meth:`forward` takes on these points, what the others would cost, or why they are impossible.

        Example:
            >>> from ccnn_geo import SepFlexConv
            >>> conv = SepFlexConv(16, 16, dim=3)
            >>> conv.explain_plan(torch.rand(100, 3)).method
            'edge'
        """
        return explain(self, self.plan(pos, edge_index, batch, spacing))

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
        check_points(self, x, plan, weight)
        return sampled_mesh_error(self, x.to(plan.dtype), plan, weight, samples)
