"""Pointwise operations on the channels of points ``[N, C]`` and of grids ``[B, C, *S]`` alike."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def add_bias(x: Tensor, bias: Tensor) -> Tensor:
    """Adds ``bias [C]`` to points ``[N, C]`` or a grid ``[B, C, *S]``."""
    return x + bias.view(-1, *[1] * (x.dim() - 2))


def channel_linear(x: Tensor, linear: nn.Linear) -> Tensor:
    """Applies a linear layer to the channels of points ``[N, C]`` or of a grid ``[B, C, *S]``."""
    if x.dim() == 2:
        return linear(x)
    y = torch.matmul(linear.weight, x.flatten(2)) + linear.bias.unsqueeze(-1)
    return y.unflatten(2, x.shape[2:])


def channel_norm(x: Tensor, norm: nn.Module) -> Tensor:
    """Applies a batch normalisation to the channels of points ``[N, C]`` or of a grid ``[B, C, *S]``."""
    if x.dim() <= 3:
        return norm(x)
    return norm(x.flatten(2)).unflatten(2, x.shape[2:])


@torch.no_grad()
def pooled_variance(y: Tensor, across_processes: bool, centered: bool = True) -> Tensor:
    """Variance (or mean square) of all entries of ``y``; over all processes of a distributed run if asked.

    What sets an initial scale must be the same in every process, or their parameters drift apart.
    """
    y = y.double()
    moments = torch.stack([y.new_tensor(float(y.numel())), y.sum(), y.square().sum()])
    if across_processes and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(moments)
    count, total, squares = moments
    return (squares - total.square() / count) / (count - 1) if centered else squares / count
