"""Products under autocast on the CPU, of which oneDNN, which remembers sizes, computes few sizes.

oneDNN keeps 0.7 MB for each product of each size in bfloat16 or float16. It takes the first few sizes of a process; all
others, and products that are small, are those of float32: of the same rounded factors, rounded again at the end.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from ccnn_geo._base.native.sizes import FirstSizes

FIRST = FirstSizes(8)
"""Sizes of features and weights whose products oneDNN takes."""
MIN_WORK = 1 << 20
"""Products of two numbers below which float32 is as fast."""
LOW = (torch.bfloat16, torch.float16)


def as_autocast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors on the CPU as autocast, which is on, would hand them to a product: rounded, all or none."""
    if any(t.dtype == torch.float64 for t in tensors):
        return tensors
    low = torch.get_autocast_dtype("cpu")
    return tuple(t.to(low) for t in tensors)


def outgrows_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether these are in half precision, and oneDNN would multiply a small size, or one too many."""
    if x.dtype not in LOW:
        return False
    return x.numel() * weight.size(0) < MIN_WORK or not FIRST.has((x.shape, weight.shape))


def without_autocast() -> AbstractContextManager[None]:
    """Products on the CPU in their own precision; entering autocast would cost microseconds where it is off anyway."""
    return torch.autocast("cpu", enabled=False) if torch.is_autocast_enabled("cpu") else nullcontext()
