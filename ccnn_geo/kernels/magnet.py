"""MAGNet: a multiplicative network of anisotropic Gabor filters, the paper's kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ccnn_geo.kernels.base import GAUSSIAN_STDDEVS, KernelNetwork, host, uniform_fan_in_
from ccnn_geo.kernels.math.gabor import Gabor, project
from ccnn_geo.kernels.math.low_pass import low_pass_layers
from ccnn_geo.kernels.math.magnet import Affine, magnet_basis
from ccnn_geo.kernels.math.spectrum import log_affine, log_cosh


class GaborFilter(nn.Module):
    r"""Parameters of one layer of Gabor filters.

    .. math::
        g_j(r) = \exp\Big(-\tfrac12 \sum_d \gamma_{jd}^2 (r_d - \mu_{jd})^2\Big) \,
                 \sin(\omega_j \cdot r + \phi_j)

    Args:
        dim: Dimension :math:`D` of the relative positions.
        channels: Number of filters :math:`H`.
        isotropic: One :math:`\gamma` per filter instead of one per filter and axis.
    """

    def __init__(self, dim: int, channels: int, isotropic: bool = False) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.empty(channels, dim))
        self.gamma = nn.Parameter(torch.empty(channels, 1 if isotropic else dim))
        self.omega = nn.Parameter(torch.empty(channels, dim))
        self.phi = nn.Parameter(torch.empty(channels))

    def parameters_of_axes(self) -> Gabor:
        """The parameters with one width per axis."""
        return Gabor(self.mu, self.gamma.expand_as(self.mu), self.omega, self.phi)


def gabor_values(rel: Tensor, gabor: Gabor) -> Tensor:
    """Values of Gabor filters by their formula: relative positions ``[*, D]`` to ``[*, H]``."""
    mu, gamma, omega, phi = gabor
    axes = zip(rel.split(1, dim=-1), mu.unbind(1), gamma.unbind(1), strict=True)
    square = sum((g * (r - m)).square() for r, m, g in axes)
    return torch.exp(-0.5 * square) * torch.sin(project(rel, omega, phi))


class MAGNet(KernelNetwork):
    r"""Multiplicative anisotropic Gabor network (the paper's kernel, Sec. 5; Romero et al., 2022).

    .. math::
        h_0 = g_0(r), \quad h_l = g_l(r) \odot (W_l h_{l-1} + b_l), \quad k(r) = W_{\mathrm{out}} h_L + b_{\mathrm{out}}

    Initialisation: :math:`\gamma_l \sim \Gamma(6/(l+1), 1)`,
    :math:`\omega_l = 2\pi\omega_0\,\gamma_l\,U(-1/\sqrt D, 1/\sqrt D)`, :math:`\phi = 0`,
    :math:`\mu \sim m\,U(-1, 1)` (causal: :math:`m\,U(0, 1)`, the side of the past), hidden biases 1.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        out_channels: Number of kernel values :math:`C` per position.
        hidden_channels: Filters per layer :math:`H`.
        num_layers: Hidden linear layers :math:`L`; there are :math:`L + 1` Gabor layers.
        omega_0: Scale of the initial frequencies.
        mean_scale: Range :math:`m` of the initial Gabor centres; 1.667 times the window's width in the paper.
        causal: Whether all initial centres lie at positive lags.
        low_pass: Standard deviation of a Gaussian low-pass, see :class:`KernelNetwork` and
            :func:`~ccnn_geo.kernels.math.low_pass.low_pass_layers`.

    Shapes:
        - **input:** relative positions :math:`(*, D)`
        - **output:** kernel values :math:`(*, C)`

    Example:
        >>> kernel = MAGNet(2, 8, omega_0=2.0)
        >>> kernel(torch.rand(100, 2)).shape  # values at 100 offsets
        torch.Size([100, 8])
    """

    isotropic = False
    passes_low = True
    has_centres = True

    def __init__(
        self,
        dim: int,
        out_channels: int,
        hidden_channels: int = 32,
        num_layers: int = 3,
        omega_0: float = 50.0,
        mean_scale: float = 0.125,
        causal: bool = False,
        low_pass: float = 0.0,
    ) -> None:
        super().__init__(dim, out_channels, hidden_channels, num_layers, omega_0, low_pass=low_pass)
        self.mean_scale = mean_scale
        self.causal = causal
        filters = nn.ModuleList(
            GaborFilter(dim, hidden_channels, self.isotropic) for _ in range(num_layers + 1)
        )
        self.filters = cast("Sequence[GaborFilter]", filters)
        self.hidden = cast(
            "Sequence[nn.Linear]",
            nn.ModuleList(nn.Linear(hidden_channels, hidden_channels) for _ in range(num_layers)),
        )
        self.reset_parameters()

    def gamma_shape(self, layer: int) -> float:
        """Shape parameter of the Gamma distribution of a layer's envelope widths."""
        return 6.0 / (layer + 1)

    def reset_basis(self) -> None:
        for l, layer in enumerate(self.filters):
            with torch.no_grad():
                shape = layer.gamma.new_tensor(self.gamma_shape(l))
                layer.gamma.copy_(torch.distributions.Gamma(shape, 1.0).sample(layer.gamma.shape))
                uniform_fan_in_(layer.omega, gain=1.0)
                layer.omega.mul_(2 * math.pi * self.omega_0 * layer.gamma)
                layer.mu.uniform_(0.0 if self.causal else -1.0, 1.0).mul_(self.mean_scale)
                layer.phi.zero_()
        for linear in self.hidden:
            uniform_fan_in_(linear.weight, gain=math.sqrt(3.0))
            nn.init.ones_(linear.bias)

    def oscillating(self) -> Sequence[Tensor]:
        return [layer.omega for layer in self.filters]

    def gabor_layers(self) -> tuple[list[Gabor], list[Affine]]:
        filters = [layer.parameters_of_axes() for layer in self.filters]
        hidden = [Affine(linear.weight, linear.bias) for linear in self.hidden]
        return low_pass_layers(filters, hidden, self.low_pass) if self.low_pass > 0 else (filters, hidden)

    def basis(self, rel: Tensor) -> Tensor:
        return magnet_basis(rel, *self.gabor_layers())

    def definition(self, rel: Tensor) -> Tensor:
        filters, hidden = self.gabor_layers()
        h = gabor_values(rel, filters[0])
        for gabor, (weight, bias) in zip(filters[1:], hidden, strict=True):
            h = gabor_values(rel, gabor) * nn.functional.linear(h, weight, bias)
        return h

    def max_frequency(self) -> Tensor:
        r"""Sum of the layers' highest frequencies ``[D]``, because products add frequencies.

        An envelope adds two standard deviations of its spectrum (the FlexConv convention).
        """
        filters, _ = self.gabor_layers()
        highest = [(f.omega.abs() + GAUSSIAN_STDDEVS * f.gamma.abs()).amax(dim=0) for f in filters]
        return torch.stack(highest).sum(dim=0)

    def log_size(self, shifts: Tensor) -> Tensor:
        r"""Bound at imaginary shifts: a filter grows by :math:`e^{\gamma^2 t^2 / 2} \cosh(\omega t)` at most."""
        filters, hidden = self.gabor_layers()
        t = shifts.view(-1, 1, 1)
        grown = [log_cosh(host(f.omega).mT * t) + 0.5 * (host(f.gamma).mT * t).square() for f in filters]
        return log_product(grown, hidden)

    def filters_by_layer(self) -> list[tuple[Tensor, Sequence[Tensor]]]:
        return [(f.omega.abs() + GAUSSIAN_STDDEVS * f.gamma.abs(), (f.omega, f.gamma)) for f in self.filters]


def log_product(log_filters: Sequence[Tensor], hidden: Sequence[Affine]) -> Tensor:
    """Bound of a multiplicative network from the bounds of its filters, all as logarithms ``[*, H]``."""
    log_size, *rest = log_filters
    for log_filter, (weight, bias) in zip(rest, hidden, strict=True):
        log_size = log_filter + log_affine(log_size, host(weight), host(bias))
    return log_size
