"""Costs of the paths over points: predicted seconds, forward and backward. Only their ratios matter."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ccnn_geo._base.device_costs import Costs, costs_of
from ccnn_geo._base.native.build import native_function
from ccnn_geo.functional.edge.compiled import has_compiled
from ccnn_geo.functional.mesh.band import LINES, SAMPLES
from ccnn_geo.functional.mesh.conv import ORDER
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.nn.conv.plan import PointPlan

SAMPLE = 1 << 14
"""Number of sampled edges that estimate how many lie in a kernel's support."""
MAX_CELLS = 1 << 24
"""Largest lattice of a cloud for which "auto" takes the mesh."""


def edge_seconds(kernel: ContinuousKernel, plan: PointPlan, costs: Costs | None = None) -> float:
    """Cost of the loop over edges: they are listed, and a kernel is evaluated on those in its support.

    ``costs`` are those of the points' device by default, here and below.
    """
    costs = costs or costs_of(plan.pos[0].device)
    inside = _edges_inside(kernel, plan)
    listed = inside if plan.sees_all else plan.neighbors.num_edges
    compiled = has_compiled(plan.pos[0].device.type)
    return 1e-9 * (costs.listed * listed + _kernel_ns(kernel, costs, compiled) * inside)


def lattice_seconds(
    kernel: ContinuousKernel, plan: PointPlan, spacing: Sequence[float], costs: Costs | None = None
) -> float:
    """Cost of the sum by offsets: a kernel is evaluated on the distinct ones alone."""
    costs = costs or costs_of(plan.pos[0].device)
    inside = _edges_inside(kernel, plan)
    steps = zip(_reach(kernel, plan).tolist(), spacing, strict=True)
    offsets = math.prod(2 * math.floor(r / h) + 1 for r, h in steps)
    listed = plan.num_pairs if plan.sees_all else plan.neighbors.num_edges
    on_gpu = plan.pos[0].device.type == "cuda"
    compiled = has_compiled("cuda") if on_gpu else _is_compiled("lattice_conv", plan)
    share = costs.lattice_compiled_share if compiled else 1.0
    edges = share * (costs.lattice_listed * listed + costs.lattice_channel * kernel.out_channels * inside)
    kernel_ns = _kernel_ns(kernel, costs, _is_compiled("edge_magnet", plan))
    return 1e-9 * (edges + kernel_ns * min(offsets, inside))


def mesh_seconds(
    kernel: ContinuousKernel, plan: PointPlan, spacing: Sequence[float], costs: Costs | None = None
) -> float:
    """Cost of the mesh: infinite above :data:`MAX_CELLS`."""
    costs = costs or costs_of(plan.pos[0].device)
    reach, extent = _reach(kernel, plan).tolist(), plan.extent.tolist()
    cells = math.prod((e + r) / h + 2 * ORDER for e, r, h in zip(extent, reach, spacing, strict=True))
    if cells > MAX_CELLS:
        return math.inf
    # the kernel on the lattice, and on the lines along which its band limit is measured
    taps = math.prod(2 * r / h + 1 for r, h in zip(reach, spacing, strict=True)) + plan.dim * LINES * SAMPLES
    points = (plan.pos[0].size(0) + plan.pos[1].size(0)) * ORDER**plan.dim
    per_channel = costs.cell * plan.num_clouds * cells * math.log2(max(2.0, cells)) + costs.spread * points
    kernel_ns = _kernel_ns(kernel, costs, _is_compiled("edge_magnet", plan))
    return 1e-9 * (kernel.out_channels * per_channel + kernel_ns * taps)


def _is_compiled(name: str, plan: PointPlan) -> bool:
    return plan.pos[0].device.type == "cpu" and native_function(name) is not None


def _kernel_ns(kernel: ContinuousKernel, costs: Costs, compiled: bool) -> float:
    """Evaluating a kernel at one offset and using its values, forward and backward."""
    net = kernel.network
    width, depth = net.basis_channels, net.num_layers
    products = depth * width**2 + kernel.out_channels * (width + 1)
    compiled = compiled and not kernel.is_dense and net.gabor_layers() is not None
    share = costs.compiled_share if compiled else 1.0
    return share * (costs.filter * width * (depth + 1) + 4 * costs.product * products)


def _reach(kernel: ContinuousKernel, plan: PointPlan) -> Tensor:
    """Largest offsets at which the kernel is not zero, ``[D]``."""
    return torch.minimum(kernel.support().to(plan.extent), plan.extent)


@torch.no_grad()
def _edges_inside(kernel: ContinuousKernel, plan: PointPlan) -> float:
    """Number of edges in the kernel's support, estimated on a sample; all edges if counting would wait for a device."""
    if plan.sees_all:
        ends = zip(kernel.support().tolist(), plan.extent.tolist(), strict=True)
        return plan.num_pairs * math.prod(min(1.0, 2 * s / e) if e > 0 else 1.0 for s, e in ends)
    (source, target), total = plan.neighbors.edge_index, plan.neighbors.num_edges
    if source.device.type != "cpu" or total == 0:
        return float(total)
    step = max(1, total // SAMPLE)
    rel = plan.pos[1].detach()[target[::step]] - plan.pos[0].detach()[source[::step]]
    return total * kernel.inside(rel).double().mean().item()
