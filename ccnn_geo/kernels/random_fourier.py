"""Random Fourier features followed by a small perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ccnn_geo.kernels.base import KernelNetwork, host, uniform_fan_in_
from ccnn_geo.kernels.math.gabor import project
from ccnn_geo.kernels.math.gelu import gelu
from ccnn_geo.kernels.math.spectrum import GELU_SLOPE, log_cosh


class RandomFourierNet(KernelNetwork):
    r"""Random Fourier features (Rahimi & Recht, 2007; Tancik et al., 2020) and a GELU perceptron.

    .. math::
        \varphi(r) = [\cos(2\pi B r), \sin(2\pi B r)], \quad B_{jd} \sim \mathcal N(0, \omega_0^2)

    :math:`B` is not learned. With ``num_layers=1`` the features feed the output layer directly, and the
    kernel is exactly band-limited.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        out_channels: Number of kernel values :math:`C` per position.
        hidden_channels: Number of features :math:`H` (even) and width of the hidden layers.
        num_layers: 1 for features only, plus one for each hidden GELU layer.
        omega_0: Standard deviation of the frequencies, in cycles per unit.
        low_pass: Standard deviation :math:`s` of a Gaussian low-pass, with ``num_layers=1``: exact, since it multiplies
            each feature by :math:`e^{-|2\pi B_j|^2 s^2 / 2}`.

    Shapes:
        - **input:** relative positions :math:`(*, D)`
        - **output:** kernel values :math:`(*, C)`

    Raises:
        ValueError: If ``hidden_channels`` is odd, or a network with hidden layers gets a low-pass.

    Example:
        >>> kernel = RandomFourierNet(2, 8, num_layers=1)
        >>> kernel(torch.rand(100, 2)).shape  # values at 100 offsets
        torch.Size([100, 8])
    """

    frequencies: Tensor
    passes_low = True

    def __init__(
        self,
        dim: int,
        out_channels: int,
        hidden_channels: int = 32,
        num_layers: int = 3,
        omega_0: float = 1.0,
        low_pass: float = 0.0,
    ) -> None:
        if hidden_channels % 2:
            raise ValueError(f"RandomFourierNet: expected an even hidden_channels, got {hidden_channels}")
        if low_pass > 0 and num_layers != 1:
            raise ValueError(
                f"RandomFourierNet: expected num_layers=1 with a low_pass, got {num_layers}; "
                "hidden layers take no low_pass"
            )
        super().__init__(dim, out_channels, hidden_channels, num_layers, omega_0, low_pass=low_pass)
        self.register_buffer("frequencies", torch.empty(hidden_channels // 2, dim))
        self.hidden = cast(
            "Sequence[nn.Linear]",
            nn.ModuleList(nn.Linear(hidden_channels, hidden_channels) for _ in range(num_layers - 1)),
        )
        self.reset_parameters()

    def reset_basis(self) -> None:
        nn.init.normal_(self.frequencies, std=2 * math.pi * self.omega_0)
        for linear in self.hidden:
            uniform_fan_in_(linear.weight, gain=math.sqrt(6.0))
            nn.init.zeros_(linear.bias)

    def oscillating(self) -> Sequence[Tensor]:
        return [self.frequencies]

    def reset_parameters(self) -> None:
        super().reset_parameters()
        with torch.no_grad():  # cos^2 + sin^2 = 1, shared by two features
            self.output.weight.mul_(math.sqrt(2.0))

    def basis(self, rel: Tensor) -> Tensor:
        phase = project(rel, self.frequencies)
        h = torch.cat([phase.cos(), phase.sin()], dim=-1)
        if self.low_pass > 0:
            h = h * self.log_amplitudes().exp().repeat(2)
        for linear in self.hidden:
            h = gelu(linear(h))
        return h

    def log_amplitudes(self) -> Tensor:
        """Logarithms of the amplitudes that a low-pass leaves to each frequency, ``[H / 2]``."""
        return -0.5 * self.low_pass**2 * self.frequencies.square().sum(dim=1)

    def max_frequency(self) -> Tensor:
        """Highest feature frequency per axis ``[D]``; infinite with hidden layers, because a GELU has no limit."""
        if len(self.hidden) > 0:
            return torch.full_like(self.frequencies[0], math.inf)
        return self.frequencies.abs().amax(dim=0)

    def log_size(self, shifts: Tensor) -> Tensor:
        r"""Bound at imaginary shifts: a feature grows by :math:`\cosh(2\pi B t)` at most.

        For an argument with real part up to :math:`x` and imaginary part up to :math:`y`, a GELU has a real part up to
        :math:`x + e` and an imaginary part up to :math:`1.129\,y + e`, :math:`e = y^2 e^{y^2 / 2} / \sqrt{2\pi}`. Both
        follow by integrating the bound :math:`(2 + |z|^2) |\mathcal N(z)|` of its second derivative from the real axis.
        """
        phase = (host(self.frequencies).mT * shifts.view(-1, 1, 1)).repeat(1, 1, 2)
        log_size = log_cosh(phase) + host(self.log_amplitudes()).repeat(2)
        if len(self.hidden) == 0:
            return log_size
        x, y = log_size.exp(), phase.abs().sinh()
        for linear in self.hidden:
            x = x @ host(linear.weight).abs().mT + host(linear.bias).abs()
            y = y @ host(linear.weight).abs().mT
            e = y.square() * torch.exp(0.5 * y.square()) / math.sqrt(2 * math.pi)
            x, y = x + e, GELU_SLOPE * y + e
        return torch.hypot(x, y).log().nan_to_num(nan=math.inf, posinf=math.inf, neginf=-math.inf)

    def filters_by_layer(self) -> list[tuple[Tensor, Sequence[Tensor]]]:
        return [(self.frequencies.abs(), (self.frequencies,))]
