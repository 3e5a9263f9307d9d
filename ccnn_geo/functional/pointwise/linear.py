"""Linear layers on the channels of points and grids; on points the faster of two libraries computes each product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ccnn_geo.functional.pointwise.grid_linear import grid_linear, linear_operator
from ccnn_geo.kernels.math.linear import cross, linear
from ccnn_geo.kernels.math.low_precision import as_autocast


def channel_linear(x: Tensor, layer: nn.Linear, shift: Tensor | None = None) -> Tensor:
    """A linear layer on the channels of points ``[N, C]`` or of grids ``[B, C, *S]``; ``shift [C]`` is added first.

    A layer with weights ``[O, C / G]`` has G groups, see :func:`grouped_linear`.
    """
    if layer.weight.size(1) < x.size(1):
        return grouped_linear(x, layer.weight, layer.bias, shift)
    bias = layer.bias if shift is None else torch.addmv(layer.bias, layer.weight, shift)
    if x.dim() == 2:
        return point_linear(x, layer.weight, bias)
    y = grid_linear(x.flatten(2), layer.weight, bias)  # in reduced precision under autocast, as on points
    return y.unflatten(2, x.shape[2:])


def point_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""Applies :math:`y_{no} = \sum_c W_{oc} x_{nc} + \beta_o` at all points.

    On the CPU this is the operator ``ccnn_geo::point_linear``.

    Shapes:
        - **x:** :math:`(N, C)`; **weight:** :math:`(O, C)`; **bias:** :math:`(O)`
        - **output:** :math:`(N, O)`
    """
    if x.device.type != "cpu":
        return F.linear(x, weight, bias)
    if torch.is_autocast_enabled("cpu"):
        x, weight, bias = as_autocast(x, weight, bias)
    return _LINEAR(x, weight, bias)


def grouped_linear(x: Tensor, weight: Tensor, bias: Tensor, shift: Tensor | None = None) -> Tensor:
    r"""Applies a separate linear layer to each of :math:`G` groups of channels.

    .. math::
        y_{g o} = \sum_c W_{g o c} (x_{g c} + s_{g c}) + \beta_{g o}

    Args:
        x: Features.
        weight: Weights of the groups, one after the other.
        bias: Added to the outputs.
        shift: Added to the features first.

    Shapes:
        - **x:** points :math:`(N, G C)` or a grid :math:`(B, G C, *S)`; **weight:** :math:`(G O, C)`; **bias:**
          :math:`(G O)`; **shift:** :math:`(G C)`
        - **output:** :math:`(N, G O)` or :math:`(B, G O, *S)`
    """
    groups = x.size(1) // weight.size(1)
    weight = weight.unflatten(0, (groups, -1))
    if shift is not None:
        bias = bias + torch.bmm(weight, shift.view(groups, -1, 1)).flatten()
    if x.dim() == 2:
        y = torch.baddbmm(bias.view(groups, 1, -1), x.unflatten(1, (groups, -1)).transpose(0, 1), weight.mT)
        return y.transpose(0, 1).flatten(1)
    y = weight @ x.flatten(2).unflatten(1, (groups, -1)) + bias.view(groups, -1, 1)
    return y.flatten(1, 2).unflatten(2, x.shape[2:])


def _gradients(grad: Tensor, x: Tensor, weight: Tensor, need: Sequence[bool]) -> list[Tensor]:
    found = [linear(grad, weight.mT.contiguous())] if need[0] else []
    if need[1]:
        found.append(cross(grad.mT, x).contiguous())
    if need[2]:
        found.append(grad.sum(dim=0))
    return found


def _shape(x: Tensor, weight: Tensor) -> tuple[int, ...]:
    return x.size(0), weight.size(0)


_LINEAR = linear_operator("point_linear", F.linear, linear, _gradients, _shape)
