"""The mean of a loss over the labels of all processes, which may have different numbers of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo._base.processes import is_distributed


def mean_loss(total: Tensor, weight: Tensor | float) -> Tensor:
    """A sum of losses divided by its weight; the sum itself where the weight is 0."""
    if isinstance(weight, Tensor):
        return total / torch.where(weight > 0, weight, 1)
    return total / weight if weight > 0 else total


def share_of_labels(count: Tensor | float, device: torch.device) -> Tensor | float:
    r"""The factor on the mean loss of a process, since ``DistributedDataParallel`` averages over processes.

    .. math::
        s_r = \frac{R \, n_r}{\sum_q n_q}, \qquad
        \frac{1}{R} \sum_r s_r \ell_r = \frac{\sum_r n_r \ell_r}{\sum_r n_r}

    Scenes differ in size, and some of their points have no label. Without this factor, a point would weigh more in a
    process with few labels than in one with many.

    Args:
        count: Labels :math:`n_r` of this process, or the sum of their weights.
        device: Device on which processes exchange numbers.
    """
    if not is_distributed():
        return 1.0
    total = torch.full((), 0.0, device=device) + count
    torch.distributed.all_reduce(total)
    return count * torch.distributed.get_world_size() / total.clamp(min=torch.finfo(total.dtype).tiny)
