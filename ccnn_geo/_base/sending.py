"""Numbers of the host as tensors of a device, which nobody waits for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def made_on(like: Tensor, numbers: Sequence[float]) -> Tensor:
    """Numbers ``[n]`` with a tensor's type and device: written there one by one, for a copy would be waited for."""
    return torch.stack([like.new_full((), number) for number in numbers])


def sent(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on a device; on CUDA from pinned memory, which a copy need not be waited for."""
    if device.type != "cuda":
        return values.to(device)
    pinned = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return pinned.copy_(values).to(device, non_blocking=True)
