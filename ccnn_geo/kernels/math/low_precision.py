"""Products under autocast on the CPU; oneDNN, which caches every size, computes only a few sizes.

oneDNN keeps 0.7 MB for each product of each size in bfloat16 or float16. It computes the first few sizes of a process.
All others, and small products, run in float32: with the same rounded factors, and rounded again at the end.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from ccnn_geo._base.native.sizes import FirstSizes

FIRST = FirstSizes(8)
"""Sizes of features and weights that oneDNN multiplies."""
MIN_WORK = 1 << 20
"""Number of multiplications below which float32 is as fast."""
LOW = (torch.bfloat16, torch.float16)


def as_autocast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Rounds tensors on the CPU as autocast, which is on, would before a product: all or none."""
    if any(t.dtype == torch.float64 for t in tensors):
        return tensors
    low = torch.get_autocast_dtype("cpu")
    return tuple(t.to(low) for t in tensors)


def outgrows_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether a product in half precision is too small for oneDNN, or a size too many for its cache."""
    if x.dtype not in LOW:
        return False
    return x.numel() * weight.size(0) < MIN_WORK or not FIRST.has((x.shape, weight.shape))


def without_autocast() -> AbstractContextManager[None]:
    """Turns autocast off on the CPU; does nothing if it is off already, because entering it costs microseconds."""
    return torch.autocast("cpu", enabled=False) if torch.is_autocast_enabled("cpu") else nullcontext()
