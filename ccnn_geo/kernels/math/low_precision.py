"""Products under autocast on the CPU, of which oneDNN, which remembers sizes, computes few sizes.

oneDNN keeps 0.7 MB for each product of each size in bfloat16 or float16. It takes the first few sizes of a process; all
others, and products that are small, are those of float32: of the same rounded factors, rounded again at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from ccnn_geo._base.native.build import in_host_memory
from ccnn_geo._base.native.sizes import FirstSizes

FIRST = FirstSizes(8)
"""Sizes of features and weights whose products oneDNN takes."""
MIN_WORK = 1 << 20
"""Products of two numbers below which float32 is as fast."""


def outgrows_onednn(x: Tensor, weight: Tensor, bias: Tensor) -> bool:
    """Whether these are on the CPU under autocast, where oneDNN would multiply a small size, or one too many."""
    given = (x, weight, bias)
    if not in_host_memory(*given) or not torch.is_autocast_enabled("cpu"):
        return False
    if any(t.dtype == torch.float64 for t in given):  # which autocast leaves as it is
        return False
    return x.numel() * weight.size(0) < MIN_WORK or not FIRST.has((x.shape, weight.shape))


def in_float32(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """``function`` of the numbers to which autocast rounds ``tensors``, in float32; its output is rounded likewise.

    What ``function`` saves for its gradients is kept in autocast's precision, in which these numbers are exact.
    """
    low = torch.get_autocast_dtype("cpu")
    saved = torch.autograd.graph.saved_tensors_hooks(lambda t: t.to(low), lambda t: t.float())
    with torch.autocast("cpu", enabled=False), saved:
        return function(*(t.to(low).float() for t in tensors)).to(low)


def without_autocast() -> AbstractContextManager[None]:
    """Products on the CPU in their own precision; entering autocast would cost microseconds where it is off anyway."""
    return torch.autocast("cpu", enabled=False) if torch.is_autocast_enabled("cpu") else nullcontext()
