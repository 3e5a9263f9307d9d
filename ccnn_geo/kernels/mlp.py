"""A plain multilayer perceptron on relative positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from ccnn_geo.kernels.base import KernelNetwork, host, uniform_fan_in_
from ccnn_geo.kernels.math.gabor import project
from ccnn_geo.kernels.math.gelu import gelu
from ccnn_geo.kernels.math.spectrum import GELU_SLOPE, slope_band


class MLPKernel(KernelNetwork):
    r"""Perceptron with GELUs, the kernel of earlier continuous convolutions (e.g. SchNet, PointConv).

    .. math::
        h_1 = \mathrm{gelu}(W_1 r + b_1), \quad h_l = \mathrm{gelu}(W_l h_{l-1} + b_l), \quad
        k(r) = W_{\mathrm{out}} h_L + b_{\mathrm{out}}

    It learns low frequencies first (spectral bias); ``omega_0`` multiplies the coordinates.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        out_channels: Number of kernel values :math:`C` per position.
        hidden_channels: Width :math:`H`.
        num_layers: Hidden layers :math:`L`.
        omega_0: Scale of the coordinates.

    Shapes:
        - **input:** relative positions :math:`(*, D)`
        - **output:** kernel values :math:`(*, C)`

    Example:
        >>> kernel = MLPKernel(2, 8)
        >>> kernel(torch.rand(100, 2)).shape  # values at 100 offsets
        torch.Size([100, 8])
    """

    def __init__(
        self,
        dim: int,
        out_channels: int,
        hidden_channels: int = 32,
        num_layers: int = 3,
        omega_0: float = 1.0,
    ) -> None:
        super().__init__(dim, out_channels, hidden_channels, num_layers, omega_0)
        widths = [dim] + [hidden_channels] * num_layers
        self.hidden = cast("Sequence[nn.Linear]", nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths)))
        self.reset_parameters()

    def reset_basis(self) -> None:
        first, *rest = self.hidden
        uniform_fan_in_(first.weight, gain=math.sqrt(3.0) * self.omega_0)
        nn.init.uniform_(first.bias, -1.0, 1.0)
        for linear in rest:
            uniform_fan_in_(linear.weight, gain=math.sqrt(6.0))
            nn.init.zeros_(linear.bias)

    def oscillating(self) -> Sequence[Tensor]:
        return [self.hidden[0].weight]

    def basis(self, rel: Tensor) -> Tensor:
        first, *rest = self.hidden
        h = gelu(project(rel, first.weight, first.bias))
        for linear in rest:
            h = gelu(linear(h))
        return h

    def max_frequency(self) -> Tensor:
        """Infinite ``[D]``: a perceptron has no highest frequency."""
        return torch.full_like(self.hidden[0].weight[0], math.inf)

    @torch.no_grad()
    def frequency_bound(self, tail: float = 0.05, reach: Tensor | None = None) -> Tensor:
        r"""The bound of the base class for offsets up to ``reach``, from the perceptron's slope; infinite without one.

        Slopes are at most :math:`\Lambda = |W_{\mathrm{out}}| \prod_l 1.129\,|W_l|`. Beyond ``reach`` the kernel may
        continue with its values at the edge, which keeps slopes and sizes.

        Source: :func:`~ccnn_geo.kernels.math.spectrum.slope_band`.
        """
        if reach is None or not reach.isfinite().all():
            return torch.full_like(self.hidden[0].weight[0], math.inf)
        size, slope = host(reach), torch.eye(self.dim, dtype=torch.double)
        for linear in self.hidden:  # gelu(x) is not above |x|
            size = host(linear.weight).abs() @ size + host(linear.bias).abs()
            slope = GELU_SLOPE * (host(linear.weight).abs() @ slope)
        weight, bias = host(self.output.weight).abs(), host(self.output.bias).abs()
        return slope_band(weight @ slope, weight @ size + bias, tail).to(self.output.weight)
