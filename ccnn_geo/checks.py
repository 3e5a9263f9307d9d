"""What points must look like for a continuous convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from ccnn_geo.neighbors import Neighbors

if TYPE_CHECKING:
    from ccnn_geo.continuous_conv import ContinuousConv
    from ccnn_geo.point_plan import PointPlan


def check_points(
    layer: ContinuousConv,
    x: Tensor,
    plan: PointPlan,
    weight: Tensor | None,
) -> None:
    """Says what does not fit, before any path runs.

    Raises:
        ValueError: If shapes, types or sizes do not fit the layer or each other.
    """
    name = type(layer).__name__
    if x.dim() != 2 or x.size(1) != layer.in_channels:
        raise ValueError(f"{name}: expected x [N, {layer.in_channels}] beside pos, got {list(x.shape)}")
    pos, edge_index = plan.given_pos, plan.edge_index
    for p in pos:
        if p.dim() != 2 or p.size(1) != layer.dim or not p.is_floating_point():
            raise ValueError(
                f"{name}: expected floating-point pos [N, {layer.dim}], got {p.dtype} {list(p.shape)}"
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
