"""The mean of a loss over the labels of all processes, of which each has as many as it likes."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo._base.processes import is_distributed


def mean_loss(total: Tensor, weight: Tensor | float) -> Tensor:
    """A sum of losses over its weight; nothing where that is 0."""
    if isinstance(weight, Tensor):
        return total / torch.where(weight > 0, weight, 1)
    return total / weight if weight > 0 else total


def share_of_labels(count: Tensor | float, device: torch.device) -> Tensor | float:
    r"""What the mean loss of a process is multiplied by, since ``DistributedDataParallel`` takes the mean of processes.

    .. math::
        s_r = \frac{R \, n_r}{\sum_q n_q}, \qquad
        \frac{1}{R} \sum_r s_r \ell_r = \frac{\sum_r n_r \ell_r}{\sum_r n_r}

    Scenes are ragged, and points of them may have no label: without it, a point of a process that has few would weigh
    more than that of one that has many.

    Args:
        count: Labels :math:`n_r` of this process, or the sum of their weights.
        device: Where numbers are exchanged.
    """
    if not is_distributed():
        return 1.0
    total = torch.full((), 0.0, device=device) + count
    torch.distributed.all_reduce(total)
    return count * torch.distributed.get_world_size() / total.clamp(min=torch.finfo(total.dtype).tiny)
