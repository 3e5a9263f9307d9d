"""A Gaussian low-pass of multiplicative filter networks, in closed form: it changes only their parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ccnn_geo.kernels.math.gabor import Gabor
from ccnn_geo.kernels.math.magnet import Affine


def low_pass_gabor(gabor: Gabor, std: float) -> tuple[Gabor, Tensor]:
    r"""Convolves Gabor filters with a Gaussian; the results are Gabor filters times an amplitude.

    .. math::
        g * \mathcal N(0, s^2 I) = a\, g', \qquad c_d = 1 + \gamma_d^2 s^2, \quad \gamma'_d = \gamma_d / \sqrt{c_d}, \\
        \omega'_d = \omega_d / c_d, \\ \phi' = \phi + \sum_d (\omega_d - \omega'_d) \mu_d, \quad
        a = \prod_d c_d^{-1/2}\, e^{-\omega_d^2 s^2 / 2 c_d}

    With :math:`\gamma = 0` the filters are sines, and :math:`a = e^{-|\omega|^2 s^2 / 2}`.

    Args:
        gabor: The filters.
        std: Standard deviation :math:`s` of the Gaussian, in units of the relative positions.

    Shapes:
        - **output:** filters, and amplitudes :math:`(H)`
    """
    mu, gamma, omega, phi = gabor
    widening = 1 + (gamma * std).square()
    amplitude = torch.exp(-0.5 * (omega * std).square() / widening) * widening.rsqrt()
    slower = omega / widening
    return Gabor(
        mu, gamma * widening.rsqrt(), slower, phi + ((omega - slower) * mu).sum(dim=1)
    ), amplitude.prod(dim=1)


def low_pass_layers(
    filters: Sequence[Gabor], hidden: Sequence[Affine], std: float
) -> tuple[list[Gabor], list[Affine]]:
    r"""Bounds a multiplicative network's spectrum by a Gaussian: convolves its filters with :math:`\sqrt{L + 1}\,s`.

    .. math::
        h_0 = g_0, \quad h_l = g_l \odot (W_l h_{l-1} + b_l), \qquad
        |\hat h_L(\kappa)| \le e^{-|\kappa|^2 s^2 / 2} \, \hat m(\kappa)

    where :math:`\hat m` is the network with absolute spectra instead of filters, :math:`*` instead of :math:`\odot`,
    and absolute weights. A product of :math:`n \le L + 1` filters has frequencies :math:`\kappa = \sum_l \kappa_l`, and
    :math:`\prod_l e^{-(L + 1) |\kappa_l|^2 s^2 / 2} \le e^{-|\kappa|^2 s^2 / 2}` (Cauchy and Schwarz). A low-pass of
    the network's values would keep differences of high frequencies, but is not a network with as few filters.

    Args:
        filters: The :math:`L + 1` layers of filters.
        hidden: The :math:`L \ge 1` hidden layers.
        std: Standard deviation :math:`s`.

    Returns:
        Filters and hidden layers, which include the amplitudes.
    """
    std *= math.sqrt(len(filters))
    passed, amplitudes = zip(*(low_pass_gabor(f, std) for f in filters), strict=True)
    layers = [
        Affine(a.unsqueeze(1) * layer.weight, a * layer.bias)
        for a, layer in zip(amplitudes[1:], hidden, strict=True)
    ]
    layers[0] = Affine(layers[0].weight * amplitudes[0], layers[0].bias)
    return list(passed), layers
