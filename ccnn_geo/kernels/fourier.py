"""FourierNet: a multiplicative network of sines, exactly band-limited."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ccnn_geo.kernels.base import KernelNetwork, host, uniform_fan_in_
from ccnn_geo.kernels.magnet import log_product
from ccnn_geo.kernels.math.gabor import Gabor, project
from ccnn_geo.kernels.math.low_pass import low_pass_layers
from ccnn_geo.kernels.math.magnet import Affine
from ccnn_geo.kernels.math.spectrum import log_cosh


class SineFilter(nn.Module):
    r"""One layer of sines :math:`g_j(r) = \sin(\omega_j \cdot r + \phi_j)`, ``[*, D]`` to ``[*, H]``."""

    def __init__(self, dim: int, channels: int) -> None:
        super().__init__()
        self.omega = nn.Parameter(torch.empty(channels, dim))
        self.phi = nn.Parameter(torch.empty(channels))

    def forward(self, rel: Tensor) -> Tensor:
        return torch.sin(project(rel, self.omega, self.phi))


class FourierNet(KernelNetwork):
    r"""Multiplicative Fourier network (Fathony et al., 2021).

    .. math::
        h_0 = g_0(r), \quad h_l = g_l(r) \odot (W_l h_{l-1} + b_l), \quad g_l(r) = \sin(\omega_l \cdot r + \phi_l)

    A product of :math:`L + 1` sines is a finite sum of sines, so its highest frequency is exact.
    Initialisation: :math:`\omega_l = 2\pi\omega_0\,U(-1/\sqrt D, 1/\sqrt D)`,
    :math:`\phi \sim U(-\pi, \pi)`, hidden layers orthogonal times :math:`\sqrt2`.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        out_channels: Number of kernel values :math:`C` per position.
        hidden_channels: Sines per layer :math:`H`.
        num_layers: Hidden linear layers :math:`L`; there are :math:`L + 1` sine layers.
        omega_0: Scale of the initial frequencies, in cycles per unit.
        low_pass: Standard deviation of a Gaussian low-pass, see :class:`KernelNetwork` and
            :func:`~ccnn_geo.kernels.math.low_pass.low_pass_layers`.

    Shapes:
        - **input:** relative positions :math:`(*, D)`
        - **output:** kernel values :math:`(*, C)`

    Example:
        >>> kernel = FourierNet(2, 8, omega_0=2.0)
        >>> kernel(torch.rand(100, 2)).shape  # values at 100 offsets
        torch.Size([100, 8])
    """

    passes_low = True

    def __init__(
        self,
        dim: int,
        out_channels: int,
        hidden_channels: int = 32,
        num_layers: int = 3,
        omega_0: float = 50.0,
        low_pass: float = 0.0,
    ) -> None:
        super().__init__(dim, out_channels, hidden_channels, num_layers, omega_0, low_pass=low_pass)
        filters = nn.ModuleList(SineFilter(dim, hidden_channels) for _ in range(num_layers + 1))
        self.filters = cast("Sequence[SineFilter]", filters)
        self.hidden = cast(
            "Sequence[nn.Linear]",
            nn.ModuleList(nn.Linear(hidden_channels, hidden_channels) for _ in range(num_layers)),
        )
        self.reset_parameters()

    def reset_basis(self) -> None:
        for sine in self.filters:
            uniform_fan_in_(sine.omega, gain=2 * math.pi * self.omega_0)
            nn.init.uniform_(sine.phi, -math.pi, math.pi)
        for linear in self.hidden:
            nn.init.orthogonal_(linear.weight, gain=math.sqrt(2.0))
            nn.init.zeros_(linear.bias)

    def oscillating(self) -> Sequence[Tensor]:
        return [sine.omega for sine in self.filters]

    def reset_parameters(self) -> None:
        super().reset_parameters()
        with torch.no_grad():  # a sine of random phase has variance 1/2
            self.output.weight.mul_(math.sqrt(2.0))

    def gabor_layers(self) -> tuple[list[Gabor], list[Affine]]:
        """The sines as Gabor filters of no width, and the hidden layers with the amplitudes of a low-pass."""
        zero = torch.zeros_like(self.filters[0].omega)
        sines = [Gabor(zero, zero, sine.omega, sine.phi) for sine in self.filters]
        hidden = [Affine(linear.weight, linear.bias) for linear in self.hidden]
        return low_pass_layers(sines, hidden, self.low_pass) if self.low_pass > 0 else (sines, hidden)

    def hidden_layers(self) -> list[Affine]:
        """The hidden layers with the amplitudes of a low-pass; the sines keep their frequencies."""
        return self.gabor_layers()[1]

    def basis(self, rel: Tensor) -> Tensor:
        h = self.filters[0](rel)
        for sine, (weight, bias) in zip(self.filters[1:], self.hidden_layers(), strict=True):
            h = sine(rel) * nn.functional.linear(h, weight, bias)
        return h

    def max_frequency(self) -> Tensor:
        """Sum over the layers of the highest frequency per axis ``[D]``: exact, not an estimate."""
        return torch.stack([sine.omega.abs().amax(dim=0) for sine in self.filters]).sum(dim=0)

    def log_size(self, shifts: Tensor) -> Tensor:
        r"""Bound at imaginary shifts: a sine grows by :math:`\cosh(\omega t)` at most."""
        grown = [log_cosh(host(sine.omega).mT * shifts.view(-1, 1, 1)) for sine in self.filters]
        return log_product(grown, self.hidden_layers())

    def filters_by_layer(self) -> list[tuple[Tensor, Sequence[Tensor]]]:
        return [(sine.omega.abs(), (sine.omega,)) for sine in self.filters]
