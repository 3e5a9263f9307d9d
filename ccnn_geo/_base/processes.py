"""Numbers that all processes of a distributed run must agree on."""

from __future__ import annotations

import torch
from torch import Tensor


def is_distributed() -> bool:
    """Whether there are other processes."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def mean_over_processes(value: Tensor, device: torch.device) -> Tensor:
    """Averages a host tensor over the processes of a distributed run, so that their models stay identical.

    Args:
        value: A tensor of any shape, the same in all processes.
        device: The device for communication between processes.
    """
    if not is_distributed():
        return value
    total = value.to(device)
    torch.distributed.all_reduce(total)
    return total.cpu() / torch.distributed.get_world_size()
