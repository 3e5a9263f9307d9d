"""Pooling of a global readout: reduces the features of all points of a sample."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ccnn_geo._base.pyg import scatter
from ccnn_geo.functional.clouds import as_clouds

POOLS = {"mean": ("mean",), "mean_max": ("mean", "max"), "sum": ("sum",)}
"""Reductions over the points of a sample, concatenated; a ``sum`` grows with the sample, as an energy does."""


def pool_clouds(
    pool: str, h: Tensor, batch: Tensor, batch_size: int | None = None, weight: Tensor | None = None
) -> Tensor:
    """Pools the points of ragged clouds; with weights the mean is over the surface, not over its points.

    Args:
        pool: A key of :data:`POOLS`.
        h: Features.
        batch: Cloud of each point.
        batch_size: Number of clouds, needed if the last ones may be empty.
        weight: Quadrature weights of the points.

    Shapes:
        - **h:** :math:`(N, C)`; **batch, weight:** :math:`(N)`; **output:** :math:`(B, P C)` for :math:`P` reductions,
          float32 if ``h`` has half precision
    """
    if h.dtype in (torch.float16, torch.bfloat16):
        h = h.float()  # after a thousand points a half-precision sum has no digits left for the next
    reduce = partial(scatter, index=as_clouds(batch, "batch"), dim=0, dim_size=batch_size)
    parts = []
    for how in POOLS[pool]:
        if how == "mean" and weight is not None:
            w = weight.to(h.dtype).unsqueeze(1)
            parts.append(reduce(h * w, reduce="sum") / _positive(reduce(w, reduce="sum")))
        elif how == "sum" and weight is not None:
            parts.append(reduce(h * weight.to(h.dtype).unsqueeze(1), reduce="sum"))
        else:
            parts.append(reduce(h, reduce=how))
    return torch.cat(parts, dim=1)


def pool_dense(pool: str, h: Tensor, weight: Tensor | None = None) -> Tensor:
    """As :func:`pool_clouds`, for samples with equal numbers of points or cells.

    Shapes:
        - **h:** :math:`(B, C, N)`; **weight:** :math:`(B, N)`; **output:** :math:`(B, P C)`
    """
    parts = []
    for how in POOLS[pool]:
        if how == "max":
            parts.append(h.amax(dim=2))
        elif weight is None:
            parts.append(h.sum(dim=2) if how == "sum" else h.mean(dim=2))
        else:
            w = weight.to(h.dtype).unsqueeze(1)
            total = (h * w).sum(dim=2)
            parts.append(total if how == "sum" else total / _positive(w.sum(dim=2)))
    return torch.cat(parts, dim=1)


def _positive(total: Tensor) -> Tensor:
    return total.clamp(min=torch.finfo(total.dtype).tiny)
