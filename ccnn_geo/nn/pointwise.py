"""Pointwise operations on the channels of points ``[N, C]`` and of grids ``[B, C, *S]`` alike."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccnn_geo.functional.pointwise.grid_linear import grid_linear
from ccnn_geo.functional.pointwise.point_linear import point_linear


def add_bias(x: Tensor, bias: Tensor) -> Tensor:
    """Adds ``bias [C]`` to points ``[N, C]`` or a grid ``[B, C, *S]``."""
    return x + bias.view(-1, *[1] * (x.dim() - 2))


def channel_linear(x: Tensor, linear: nn.Linear, shift: Tensor | None = None) -> Tensor:
    """A linear layer on the channels of points ``[N, C]`` or of grids ``[B, C, *S]``; ``shift [C]`` is added first."""
    bias = linear.bias if shift is None else torch.addmv(linear.bias, linear.weight, shift)
    if x.dim() == 2:
        return point_linear(x, linear.weight, bias)
    y = grid_linear(x.flatten(2), linear.weight, bias)  # in reduced precision under autocast, as for points
    return y.unflatten(2, x.shape[2:])


def channel_norm(x: Tensor, norm: nn.Module) -> Tensor:
    """Applies a batch normalisation to the channels of points ``[N, C]`` or of a grid ``[B, C, *S]``."""
    if x.dim() <= 3:
        return norm(x)
    return norm(x.flatten(2)).unflatten(2, x.shape[2:])
