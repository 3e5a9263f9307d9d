"""The distance between the points of a cloud: the spacing of an equally dense lattice."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from ccnn_geo.functional.clouds import check_positions, cloud_offsets, count_clouds
from ccnn_geo.neighbors.build import build_neighbors

NEAR, FEW, MANY = 4, 16, 32
"""Ranks of the neighbours used: from the first to the last for the dimension, between the first two for the level."""

ASKED = 8192
"""Largest number of points with a neighbour search; in a larger cloud only every second, third and so on has one."""

MEDIAN_RANK = 1 / 3
"""The median ball up to the k-th of random points holds k - 1/3 of them."""


@torch.no_grad()
def estimate_spacing(pos: Tensor, batch: Tensor | None = None, intrinsic_dim: float | None = None) -> Tensor:
    r"""Distance :math:`h` between the points of each cloud, estimated from distances to their nearest neighbours.

    .. math::
        \log h = \Big\langle \log r_k + \tfrac1d \log \frac{\pi^{d/2}}{\Gamma(d/2 + 1)\,(k - 1/3)}
                 \Big\rangle_{k=4}^{16}

    where :math:`r_k` is the median distance to the :math:`k`-th nearest other point, and :math:`d` the slope of
    :math:`\log(k - 1/3)` over :math:`\log r_k`, :math:`4 \le k \le 32`. So :math:`h^d` is a point's share of the
    volume, area or length that the cloud fills. The error is a few percent for random points, up to 10 for lattices.
    No set of points carries higher frequencies than an equally dense lattice (Landau, 1967): :math:`\pi / h` in rad per
    unit. Points at the same position count as one. In clouds of more than 8,192 points, neighbours are searched for
    every second, third and so on.

    Args:
        pos: Coordinates.
        batch: Cloud of each point, sorted; one cloud by default.
        intrinsic_dim: :math:`d`, 2 for points on a surface; by default estimated, between 1 and D.

    Shapes:
        - ``pos``: ``[N, D]``; ``batch``: ``[N]``; result: ``[B]`` in the unit and type of ``pos``, NaN for a cloud with
          fewer than six distinct points

    Raises:
        ValueError: When ``pos`` is not ``[N, D]`` and finite, or ``batch`` is not sorted or does not fit.
    """
    check_positions(pos, "pos")
    count = count_clouds(batch)
    ptr = cloud_offsets(pos, batch, count, "batch")
    dim = pos.size(1)
    if intrinsic_dim is not None and not 0 < intrinsic_dim <= dim:
        raise ValueError(f"intrinsic_dim must lie in (0, {dim}], got {intrinsic_dim}")
    spacings = [_spacing(pos[a:b], intrinsic_dim) for a, b in pairwise(ptr)]
    return torch.stack(spacings).to(pos.dtype) if spacings else pos.new_empty(0)


@torch.no_grad()
def estimate_reach(pos: Tensor, batch: Tensor | None = None, num_neighbors: int = MANY) -> Tensor:
    """Median distance, over the points of each cloud, within which a point has a number of neighbours.

    Points at the same position count as one. A cloud with fewer points gives the distance to the farthest.

    Args:
        pos: Coordinates.
        batch: Cloud of each point, sorted; one cloud by default.
        num_neighbors: Number of neighbours, without the point itself.

    Shapes:
        - ``pos``: ``[N, D]``; ``batch``: ``[N]``; result: ``[B]`` in the unit and type of ``pos``, NaN for a cloud
          without two distinct points

    Raises:
        ValueError: When ``pos`` is not ``[N, D]`` and finite, or ``batch`` is not sorted or does not fit.

    Example:
        >>> estimate_reach(torch.arange(100.0).unsqueeze(1), num_neighbors=4)
        tensor([2.])
    """
    check_positions(pos, "pos")
    ptr = cloud_offsets(pos, batch, count_clouds(batch), "batch")
    reaches = []
    for a, b in pairwise(ptr):
        distances = _median_distances(pos[a:b], num_neighbors)
        reaches.append(distances[-1] if len(distances) > 0 else distances.new_tensor(math.nan))
    return torch.stack(reaches).to(pos.dtype) if reaches else pos.new_empty(0)


def _median_distances(pos: Tensor, many: int) -> Tensor:
    """Median distances to the nearest other position, the second nearest and so on, ``[K]``, K at most ``many``."""
    pos = (
        pos.unique(dim=0) if pos.device.type == "mps" else pos.double().unique(dim=0)
    )  # Metal has no float64
    many = min(many, pos.size(0) - 1)
    if many < 1:
        return pos.new_empty(0)
    if pos.size(0) <= ASKED:
        source, target = build_neighbors(pos, None, many, loop=False).edge_index
        distance = (pos[target] - pos[source]).norm(dim=1).view(-1, many).sort(dim=1).values
        return _lower_median(distance)
    some = pos[:: -(-pos.size(0) // ASKED)]  # sorted by position, so they are spread over the cloud
    source, target = build_neighbors(pos, None, many + 1, pos_dst=some).edge_index
    distance = (some[target] - pos[source]).norm(dim=1).view(-1, many + 1).sort(dim=1).values
    return _lower_median(distance[:, 1:])  # without the point itself


def _spacing(pos: Tensor, intrinsic_dim: float | None) -> Tensor:
    distances = _median_distances(pos, MANY)
    many = len(distances)
    if many < NEAR + 1:
        return distances.new_tensor(math.nan)
    radius = distances.log()
    share = (torch.arange(many, device=pos.device) + 1 - MEDIAN_RANK).to(radius).log()
    if intrinsic_dim is None:
        x, y = (v[NEAR - 1 :] - v[NEAR - 1 :].mean() for v in (radius, share))
        d = ((x * y).sum() / x.square().sum().clamp(min=1e-12)).clamp(1.0, float(pos.size(1)))
    else:
        d = radius.new_tensor(intrinsic_dim)
    ball = 0.5 * d * math.log(math.pi) - torch.lgamma(0.5 * d + 1)
    return (radius + (ball - share) / d)[NEAR - 1 : FEW].mean().exp()


def _lower_median(values: Tensor) -> Tensor:
    """Lower median of each column of ``[N, K]``, ``[K]``; torch has no deterministic form on CUDA."""
    if values.device.type == "cpu":
        return values.median(dim=0).values
    return values.sort(dim=0).values[(values.size(0) - 1) // 2]
