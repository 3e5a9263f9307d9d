"""The weight of each point in a sum: 1, the inverse density, or the share of the surface it represents."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ccnn_geo._base.processes import is_distributed
from ccnn_geo.functional.clouds import cloud_offsets, count_clouds
from ccnn_geo.neighbors import Neighbors, build_neighbors
from ccnn_geo.neighbors.measure import (
    TYPICAL_NEIGHBORS,
    density_measure,
    kernel_density,
    squared_lengths,
    typical_reach,
)
from ccnn_geo.nn.conv.plan import PointPlan


class UniformMeasure(nn.Module):
    """Every point weighs 1, as in the paper."""

    name: ClassVar[str] = "uniform"

    def reset_parameters(self) -> None:
        """Nothing to forget."""

    def forward(self, plan: PointPlan, support: Tensor | None = None) -> Tensor | None:
        """No weights, which stand for 1 each."""
        return None


class DensityMeasure(nn.Module):
    """Each point weighs the inverse of the local density, with mean 1 in each cloud.

    Source: :func:`~ccnn_geo.neighbors.measure.density_measure`.
    """

    name: ClassVar[str] = "density"

    def reset_parameters(self) -> None:
        """Nothing to forget."""

    @torch.compiler.disable
    def forward(self, plan: PointPlan, support: Tensor | None = None) -> Tensor | None:
        """Weights ``[N]`` of the sources.

        Uses the plan's neighbours if every point has 32 others, and searches for them otherwise.
        """
        long_enough = plan.num_neighbors is not None and plan.num_neighbors > TYPICAL_NEIGHBORS
        neighbors = None if plan.is_bipartite or not long_enough else plan.neighbors
        return density_measure(plan.given_pos[0], plan.batch[0], neighbors)


class QuadratureMeasure(nn.Module):
    r"""Length, area or volume that each point represents, relative to the points trained on.

    .. math::
        w_i = \rho^{ref} / \rho_i, \qquad \rho_i = \sum_j (1 - |p_i - p_j|^2 / h^2)_+

    The sum includes the point itself and has the same support :math:`h` in every cloud. So no dimension is needed, and
    rims, folds and thin walls weigh the same however densely they are sampled. The first batch sets both buffers:
    :math:`h` to the median distance to the 32nd neighbour, and :math:`\rho^{ref}` so that the weights have mean 1. If a
    cloud is so sparse that no point has a neighbour within :math:`h`, all its points weigh the same, and too little.

    Shapes:
        - **output:** weights :math:`(N)` of the sources of a :class:`~ccnn_geo.nn.conv.plan.PointPlan`
    """

    name: ClassVar[str] = "quadrature"
    bandwidth: Tensor
    density: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bandwidth", torch.zeros(()))
        self.register_buffer("density", torch.zeros(()))

    def reset_parameters(self) -> None:
        """Lets the next batch set the reference."""
        self.bandwidth.zero_()
        self.density.zero_()

    @torch.compiler.disable
    @torch.no_grad()
    def forward(self, plan: PointPlan, support: Tensor | None = None) -> Tensor | None:
        """Weights of the sources.

        Args:
            plan: Points and their neighbours.
            support: Reach of the convolution's kernel, ``[D]``, so that one search serves both.
        """
        pos, batch = plan.given_pos[0], plan.batch[0]
        if pos.size(0) == 0:
            return pos.new_ones(0)
        bandwidth, reference = self.bandwidth.item(), self.density.item()
        if bandwidth > 0 and reference > 0:
            return (reference / _density(plan, bandwidth, support)).to(pos.dtype)
        nearest = build_neighbors(pos, batch, TYPICAL_NEIGHBORS + 1)
        offsets = torch.tensor(cloud_offsets(pos, batch, count_clouds(batch), "batch"), device=pos.device)
        reach = typical_reach(squared_lengths(pos, nearest), nearest, offsets)[offsets.diff() > 0]
        bandwidth = self._mean(reach)
        density = _density(plan, bandwidth, support)
        reference = 1 / self._mean(density.reciprocal())
        if self.training or not is_distributed():  # some processes may skip an evaluation
            self.bandwidth.fill_(bandwidth)
            self.density.fill_(reference)
        return (reference / density).to(pos.dtype)

    def _mean(self, values: Tensor) -> float:
        """Mean, in training over all processes."""
        moments = torch.stack([values.sum(), values.new_tensor(float(values.numel()))])
        if self.training and is_distributed():
            torch.distributed.all_reduce(moments)
        return (moments[0] / moments[1]).item()


def _density(plan: PointPlan, bandwidth: float, support: Tensor | None) -> Tensor:
    neighbors = _within(plan, bandwidth, support)
    d2 = squared_lengths(plan.given_pos[0], neighbors)
    return kernel_density(d2, neighbors, d2.new_full((neighbors.num_dst,), bandwidth))


def _within(plan: PointPlan, bandwidth: float, support: Tensor | None) -> Neighbors:
    """All neighbours within the bandwidth, and maybe more: the convolution's own neighbours if possible."""
    if not (plan.sees_all and not plan.is_bipartite):
        return build_neighbors(plan.given_pos[0], plan.batch[0], None, bandwidth)
    side = plan.given_pos[0].new_full((plan.dim,), bandwidth / plan.dim**0.5)
    return plan.edges_within(side if support is None else torch.maximum(side, support.to(side)))[0]


Measure = UniformMeasure | DensityMeasure | QuadratureMeasure
MEASURES: dict[str, type[Measure]] = {
    measure.name: measure for measure in (UniformMeasure, DensityMeasure, QuadratureMeasure)
}
"""Measures by the names that layers take."""
