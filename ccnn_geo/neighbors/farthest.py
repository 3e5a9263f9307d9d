"""Points that cover a cloud evenly."""

from __future__ import annotations

import ctypes
import math

import torch
from torch import Tensor

from ccnn_geo._base.native.build import addresses, arguments, native_function

Arguments = arguments(("size", "num", "start"), ("x", "y", "z", "distance", "out"))


@torch.no_grad()
def farthest_points(pos: Tensor, num: int, start: int = 0) -> Tensor:
    r"""Farthest point sampling: each point is the one farthest from those before it.

    .. math::
        i_n = \arg\max_i \min_{m < n} \lVert p_i - p_{i_m} \rVert

    Among equally far points it takes the first. No point is chosen twice, even if points share a position.

    Args:
        pos: Coordinates; distances are computed in float32.
        num: Number of points to choose, at most N.
        start: Index of the first point, :math:`i_1`.

    Shapes:
        - ``pos``: ``[N, D]``; result: ``[num]``, indices in the order of choice

    Raises:
        ValueError: If there are fewer than ``num`` points, or positions are not finite.

    Source: Qi et al., 2017, PointNet++, Sec. 3.2.
    """
    size = pos.size(0)
    if not (0 <= num <= size and 0 <= start < max(size, 1)):
        raise ValueError(
            f"farthest_points: expected 0 to {size} points from one of them, got {num} from {start}"
        )
    if not pos.isfinite().all():
        raise ValueError("farthest_points: expected finite positions, got NaN or infinity")
    axes = pos.float().T.contiguous()
    function = native_function("farthest")
    if function is not None and pos.device.type == "cpu" and axes.size(0) == 3 and num > 0:
        out = torch.empty(num, dtype=torch.long)
        distance = torch.full((size,), math.inf)
        x, y, z = axes
        function(
            ctypes.byref(Arguments(size, num, start, **addresses(x=x, y=y, z=z, distance=distance, out=out)))
        )
        return out
    chosen = [torch.tensor(start, device=pos.device)] * min(num, 1)
    distance = axes.new_full((size,), math.inf)
    for _ in range(num - 1):
        squared = (axes - axes[:, chosen[-1], None]).square().sum(dim=0)
        distance = torch.minimum(distance, squared).index_fill(0, chosen[-1], -1.0)
        chosen.append(distance.argmax())
    return torch.stack(chosen) if chosen else torch.empty(0, dtype=torch.long, device=pos.device)
