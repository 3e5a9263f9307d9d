"""Pointwise operations on the channels of points ``[N, C]`` and of grids ``[B, C, *S]``."""

from __future__ import annotations

from torch import Tensor, nn


def add_bias(x: Tensor, bias: Tensor) -> Tensor:
    """Adds ``bias [C]`` to points ``[N, C]`` or a grid ``[B, C, *S]``."""
    return x + bias.view(-1, *[1] * (x.dim() - 2))


def channel_norm(x: Tensor, norm: nn.Module) -> Tensor:
    """Applies a batch normalisation to the channels of points ``[N, C]`` or of a grid ``[B, C, *S]``."""
    if x.dim() <= 3:
        return norm(x)
    return norm(x.flatten(2)).unflatten(2, x.shape[2:])
