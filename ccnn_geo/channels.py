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
    y = torch.matmul(linear.weight, x.flatten(2))  # in reduced precision under autocast, as for points
    y = y + linear.bias.to(y.dtype).unsqueeze(-1)
    return y.unflatten(2, x.shape[2:])


def channel_norm(x: Tensor, norm: nn.Module) -> Tensor:
    """Applies a batch normalisation to the channels of points ``[N, C]`` or of a grid ``[B, C, *S]``."""
    if x.dim() <= 3:
        return norm(x)
    return norm(x.flatten(2)).unflatten(2, x.shape[2:])
