r"""The share of space that each point represents: weights that turn a sum over points into an integral.

.. math::
    y(p_i) = \sum_j w_j\, k(p_i - p_j)\, f(p_j)

Weights are relative: 1 is the density a layer was trained on, so denser points weigh less.
:mod:`ccnn_geo.nn.conv.measures` has weights that keep their scale from cloud to cloud.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import segment
from ccnn_geo.functional.clouds import check_positions, cloud_offsets, count_clouds
from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.neighbors.build import build_neighbors
from ccnn_geo.neighbors.exact import squared_distances

TYPICAL_NEIGHBORS = 32
"""Neighbours inside the support of the density estimate at a typical point: about 30 keep its noise near 20 %."""


def uniform_measure(pos: Tensor, batch: Tensor | None = None) -> Tensor:
    """Give every point the weight 1, as the paper does.

    Args:
        pos: coordinates.
        batch: has no effect; all measures take the same arguments.

    Shapes:
        - ``pos``: ``[N, D]``; result: ``[N]``, the type of ``pos``

    Raises:
        ValueError: when ``pos`` is not ``[N, D]`` and finite, or ``batch`` is not sorted or does not fit.
    """
    check_positions(pos, "pos")
    cloud_offsets(pos, batch, count_clouds(batch), "batch")
    return pos.new_ones(pos.size(0))


def lattice_measure(
    spacing: float | Sequence[float], reference_spacing: float | Sequence[float], dim: int
) -> float:
    r"""Weight of a lattice point: its cell's volume relative to the lattice trained on (Sec. 3).

    .. math::
        w = \prod_{d=1}^{D} h_d / h^{ref}_d

    Args:
        spacing: distance between neighbouring points, for all axes or one per axis, in the unit of ``pos``.
        reference_spacing: the same for the lattice with weights 1.
        dim: number of axes D.

    Raises:
        ValueError: when a spacing is not positive and finite, or there is not one per axis.
    """
    if isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
        raise ValueError(f"dim must be an int of at least 1, got {dim!r}")
    steps = _per_axis(spacing, dim, "spacing")
    reference = _per_axis(reference_spacing, dim, "reference_spacing")
    return math.prod([h / r for h, r in zip(steps, reference, strict=True)])  # compilers trace no generators


def density_measure(
    pos: Tensor,
    batch: Tensor | None = None,
    neighbors: Neighbors | None = None,
    bandwidth: float | None = None,
    intrinsic_dim: int | None = None,
    max_ratio: float = 10.0,
) -> Tensor:
    r"""Weight points by the inverse of the local density, with mean 1 in each cloud.

    .. math::
        w_i \propto 1 / \rho_i, \qquad
        \rho_i = (h / h_i)^d \sum_j (1 - |p_i - p_j|^2 / h_i^2)_+

    The sum includes the point itself. Its support ``h`` is one length per cloud, so the same formula serves points on
    curves, on surfaces and in space. If the given neighbours end before ``h``, the support shrinks to their reach
    ``h_i``; only then does the dimension ``d`` matter. Points at the rim of an open cloud see one side only and weigh
    up to ``2^d`` times too much. The weights are data: no gradient flows to ``pos``.

    Args:
        pos: coordinates.
        batch: cloud of each point, sorted; one cloud by default.
        neighbors: existing edges among these points; by default the 32 nearest neighbours.
        bandwidth: h, in the unit of ``pos``; by default the median distance to the 32nd neighbour.
        intrinsic_dim: d, 2 for points on a surface; by default D.
        max_ratio: weights are clamped to ``[1 / max_ratio, max_ratio]`` times their mean, then scaled to mean 1 again.

    Shapes:
        - ``pos``: ``[N, D]``; ``batch``: ``[N]``; result: ``[N]``, the type of ``pos``

    Raises:
        ValueError: when ``neighbors`` are not among these points, or an argument is out of range.
    """
    check_positions(pos, "pos")
    ptr = cloud_offsets(pos, batch, count_clouds(batch), "batch")
    if bandwidth is not None and not (math.isfinite(bandwidth) and bandwidth > 0):
        raise ValueError(f"bandwidth must be positive and finite, got {bandwidth}")
    if not max_ratio >= 1:
        raise ValueError(f"max_ratio must be at least 1, got {max_ratio}")
    d = pos.size(1) if intrinsic_dim is None else intrinsic_dim
    if not 1 <= d <= pos.size(1):
        raise ValueError(f"intrinsic_dim must lie in [1, {pos.size(1)}], got {d}")
    num_points = pos.size(0)
    if neighbors is None:
        neighbors = build_neighbors(pos, batch, TYPICAL_NEIGHBORS + 1)
    elif (neighbors.num_src, neighbors.num_dst) != (num_points, num_points):
        raise ValueError(
            f"neighbors must be among the {num_points} points of pos, got {neighbors.num_src} sources "
            f"and {neighbors.num_dst} targets"
        )
    check_one_device("density_measure", pos=pos, neighbors=neighbors.ptr)
    if num_points == 0:
        return pos.new_ones(0)
    offsets = torch.tensor(ptr, device=pos.device)
    sizes = offsets.diff()
    cloud = torch.arange(sizes.numel(), device=pos.device).repeat_interleave(sizes)
    d2 = squared_lengths(pos, neighbors)
    reach = segment(d2, neighbors.ptr, "max").sqrt()
    if bandwidth is None:
        support = typical_reach(d2, neighbors, offsets)[cloud]
    else:
        support = d2.new_full((num_points,), bandwidth)
    # neighbours that end early bound the support, unless there are no more points to find
    truncated = (neighbors.degree < sizes[cloud] - 1) & (reach < support)
    local = torch.where(truncated, reach.clamp(min=1e-3 * support), support)
    density = (support / local) ** d * kernel_density(d2, neighbors, local)
    weight = _unit_mean(density.reciprocal(), offsets, cloud)
    weight = _unit_mean(weight.clamp(1 / max_ratio, max_ratio), offsets, cloud)
    return weight.to(pos.dtype)


def cell_measure(
    pos: Tensor, dense: Tensor, batch: Tensor | None = None, dense_batch: Tensor | None = None
) -> Tensor:
    r"""Weight points by their cells: the number of points in a denser sampling nearest to them, with mean 1.

    .. math::
        w_i = \frac{N}{M}\, \bigl|\{\, m : i = \arg\min_j |q_m - p_j| \,\}\bigr|

    If the denser sampling is even, this is the area of the Voronoi cell on any surface; :func:`density_measure`
    estimates it without a denser sampling. A cloud without denser points weighs 0.

    Args:
        pos: coordinates, often a subset of the denser points.
        dense: coordinates of the denser sampling, of M points.
        batch: cloud of each point, sorted; one cloud by default.
        dense_batch: cloud of each denser point, sorted.

    Shapes:
        - ``pos``: ``[N, D]``; ``dense``: ``[M, D]``; ``batch``: ``[N]``; ``dense_batch``: ``[M]``; result: ``[N]``,
          the type of ``pos``

    Raises:
        ValueError: when positions are not finite, or a batch is not sorted or does not fit.
    """
    nearest = build_neighbors(pos.detach(), batch, 1, pos_dst=dense.detach(), batch_dst=dense_batch)
    count = torch.bincount(nearest.edge_index[0], minlength=pos.size(0))
    ptr = torch.tensor(cloud_offsets(pos, batch, count_clouds(batch), "batch"), device=pos.device)
    cloud = torch.arange(ptr.numel() - 1, device=pos.device).repeat_interleave(ptr.diff())
    share = count / segment(count.double(), ptr, "sum").clamp(min=1)[cloud]
    return (share * ptr.diff()[cloud]).to(pos.dtype)


def squared_lengths(pos: Tensor, neighbors: Neighbors) -> Tensor:
    """Squared lengths of all edges, ``[E]``, in float64 if the device has it."""
    points = pos.detach().to(torch.float32 if pos.device.type == "mps" else torch.float64)
    source, target = neighbors.edge_index
    return squared_distances(points[target], points[source])


def kernel_density(d2: Tensor, neighbors: Neighbors, support: Tensor) -> Tensor:
    """Sum of ``1 - d2 / support^2`` over a point's edges and itself, where positive, ``[N]``.

    Args:
        d2: squared lengths of the edges, ``[E]``.
        neighbors: the edges, with or without loops.
        support: support of each point, ``[N]``.
    """
    source, target = neighbors.edge_index
    share = (1 - d2 / support[target].square()).clamp(min=0)
    # a point counts itself once: with loops, it is missing from its list only among many duplicates
    density = segment(share, neighbors.ptr, "sum") + (not bool((source == target).any()))
    return density.clamp(min=1)


def typical_reach(d2: Tensor, neighbors: Neighbors, offsets: Tensor) -> Tensor:
    """Median over each cloud of the distance to the 32nd neighbour (the last if there are fewer), ``[B]``.

    Args:
        d2: squared lengths of the edges, ``[E]``.
        neighbors: the edges.
        offsets: first point of each cloud, and the number of points, ``[B + 1]``.
    """
    target, sizes = neighbors.edge_index[1], offsets.diff()
    cloud = torch.arange(sizes.numel(), device=d2.device).repeat_interleave(sizes)
    if bool(((d2[1:] < d2[:-1]) & (target[1:] == target[:-1])).any()):
        # edges from the caller, in any order
        order = d2.argsort()
        d2 = d2[order[target[order].argsort(stable=True)]]
    last = neighbors.degree.clamp(max=TYPICAL_NEIGHBORS + 1) - 1
    reach = d2.new_zeros(cloud.numel())
    has_edges = last >= 0
    reach[has_edges] = d2[(neighbors.ptr[:-1] + last)[has_edges]].sqrt()
    order = reach.argsort(stable=True)
    order = order[cloud[order].argsort(stable=True)]
    middle = (offsets[:-1] + sizes // 2).clamp(max=cloud.numel() - 1)
    typical = reach[order][middle]
    # if more than half of the points are duplicates, take the mean; if all are, any length will do
    mean = segment(reach, offsets, "mean")
    typical = torch.where(typical > 0, typical, mean)
    return torch.where(typical > 0, typical, 1.0)


def _unit_mean(weight: Tensor, offsets: Tensor, cloud: Tensor) -> Tensor:
    return weight / segment(weight, offsets, "mean")[cloud]


def _per_axis(spacing: float | Sequence[float], dim: int, name: str) -> tuple[float, ...]:
    steps = tuple(spacing) if isinstance(spacing, Sequence) else (spacing,) * dim
    if len(steps) != dim:
        raise ValueError(f"{name} must have one entry per axis, {dim}, got {len(steps)}: {steps}")
    if not all(math.isfinite(h) and h > 0 for h in steps):
        raise ValueError(f"{name} must be positive and finite, got {steps}")
    return tuple(float(h) for h in steps)
