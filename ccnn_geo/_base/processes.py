"""Numbers that all processes of a distributed run must agree on."""

from __future__ import annotations

import torch
from torch import Tensor


def is_distributed() -> bool:
    """Whether there are other processes."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def mean_over_processes(value: Tensor, device: torch.device) -> Tensor:
    """The mean of a tensor on the host over the processes of a distributed run, so that their models stay alike.

    Args:
        value: Any shape, the same in all processes.
        device: On which the processes meet.
    """
    if not is_distributed():
        return value
    total = value.to(device)
    torch.distributed.all_reduce(total)
    return total.cpu() / torch.distributed.get_world_size()
