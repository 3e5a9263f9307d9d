"""SIREN: a multilayer perceptron of sines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from ccnn_geo.kernels.base import KernelNetwork, host, uniform_fan_in_
from ccnn_geo.kernels.math.gabor import project
from ccnn_geo.kernels.math.spectrum import log_cosh


class SIREN(KernelNetwork):
    r"""Sinusoidal representation network (Sitzmann et al., 2020; kernels of Romero et al., 2022, CKConv).

    .. math::
        h_1 = \sin(\omega_0 (W_1 r + b_1)), \quad h_l = \sin(\omega_0 (W_l h_{l-1} + b_l)), \quad
        k(r) = W_{\mathrm{out}} h_L + b_{\mathrm{out}}

    Initialisation: first layer :math:`U(-1/D, 1/D)`, hidden
    :math:`U(-\sqrt{6/H}/\omega_0, \sqrt{6/H}/\omega_0)`, biases of the first layer one period of phase.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        out_channels: Number of kernel values :math:`C` per position.
        hidden_channels: Sines per layer :math:`H`.
        num_layers: Sine layers :math:`L`.
        omega_0: Factor :math:`\omega_0` of every sine's argument, in rad per unit.

    Shapes:
        - **input:** relative positions :math:`(*, D)`
        - **output:** kernel values :math:`(*, C)`

    Example:
        >>> kernel = SIREN(2, 8, omega_0=10.0)
        >>> kernel(torch.rand(100, 2)).shape  # values at 100 offsets
        torch.Size([100, 8])
    """

    def __init__(
        self,
        dim: int,
        out_channels: int,
        hidden_channels: int = 32,
        num_layers: int = 3,
        omega_0: float = 50.0,
    ) -> None:
        super().__init__(dim, out_channels, hidden_channels, num_layers, omega_0)
        widths = [dim] + [hidden_channels] * num_layers
        self.hidden = cast("Sequence[nn.Linear]", nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths)))
        self.reset_parameters()

    def reset_basis(self) -> None:
        first, *rest = self.hidden
        nn.init.uniform_(first.weight, -1.0 / self.dim, 1.0 / self.dim)
        nn.init.uniform_(first.bias, -math.pi / self.omega_0, math.pi / self.omega_0)
        for linear in rest:
            uniform_fan_in_(linear.weight, gain=math.sqrt(6.0) / self.omega_0)
            nn.init.zeros_(linear.bias)

    def reset_parameters(self) -> None:
        super().reset_parameters()
        with torch.no_grad():  # a sine of random phase has variance 1/2
            self.output.weight.mul_(math.sqrt(2.0))

    def oscillating(self) -> Sequence[Tensor]:
        return [self.hidden[0].weight]

    def basis(self, rel: Tensor) -> Tensor:
        first, *rest = self.hidden
        h = torch.sin(self.omega_0 * project(rel, first.weight, first.bias))
        for linear in rest:
            h = torch.sin(self.omega_0 * linear(h))
        return h

    def max_frequency(self) -> Tensor:
        r"""Carson's bandwidth ``[D]``: each further sine modulates the frequency of the one before.

        :math:`B_1 = \omega_0 \max_j |W_1|`, :math:`B_{l} = (1 + \max_i \omega_0 \lVert W_l \rVert_1) B_{l-1}`. It
        holds 98 % of the power; a sine of a sine has no highest frequency.
        """
        ((bandwidths, _),) = self.filters_by_layer()
        return bandwidths.amax(dim=0)

    def filters_by_layer(self) -> list[tuple[Tensor, Sequence[Tensor]]]:
        """Carson's bandwidth of each sine in the first layer, and the weights proportional to it."""
        first, *rest = self.hidden
        bandwidth = self.omega_0 * first.weight.abs()
        for linear in rest:
            index = self.omega_0 * linear.weight.abs().sum(dim=1).amax()
            bandwidth = (1 + index) * bandwidth
        return [(bandwidth, (first.weight,))]

    def log_size(self, shifts: Tensor) -> Tensor:
        r"""Bound at imaginary shifts: a sine is at most :math:`\cosh y` if its argument has imaginary part :math:`y`.

        Its own imaginary part is at most :math:`\sinh y`, so :math:`y_1 = \omega_0 |W_1| t` and
        :math:`y_l = \omega_0 |W_l| \sinh y_{l-1}`.
        """
        first, *rest = self.hidden
        y = self.omega_0 * host(first.weight).abs().mT * shifts.view(-1, 1, 1)
        for linear in rest:
            y = self.omega_0 * y.sinh() @ host(linear.weight).abs().mT
        return log_cosh(y).nan_to_num(nan=math.inf, posinf=math.inf)
