r"""Proven upper bounds of spectra: for functions that are analytic or smooth along an axis, and for windows.

Take the nearest function without frequencies above :math:`b` along an axis. The largest difference between both
functions' values is

* at most :math:`\tfrac4\pi M(t) / \cosh(t b)`, for every :math:`t`, if :math:`M(t)` bounds the function at offsets
  shifted by :math:`i t` along the axis. The function is the convolution of its mean at :math:`\pm i t` with the kernel
  of spectrum :math:`1 / \cosh(t \kappa)` (Poisson's formula for a strip), and the mean distance of that kernel is
  :math:`\tfrac4\pi \sum_n (-1)^n / ((2n + 1) \cosh((2n + 1) t b))` (Akhiezer and Krein; Nagy, 1938).
* at most :math:`\tfrac\pi2 \Lambda / b`, if :math:`\Lambda` bounds the function's slope (Favard, 1937).

In the first case the first summand bounds the sum; in the second case the bound is attained.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

SHIFTS = torch.cat([torch.zeros(1, dtype=torch.double), torch.logspace(-6, 4, 241, dtype=torch.double)])
"""Imaginary shifts to try: zero gives the size on the real axis; any others give valid bounds."""

LOG_SPREAD = 600.0
"""Logarithm of the smallest ratio of summands; smaller ones are raised to it."""

GELU_SLOPE = 0.5 * (1 + math.erf(1.0)) + math.exp(-1.0) / math.sqrt(math.pi)
"""Largest slope of a GELU, at the square root of 2."""

NODES, PANELS, PHASE = 256, 160, 300.0
"""Nodes along a window, panels of its spectrum, and the largest frequency times the window's length that they cover."""

ROUNDING = 1e-12
"""Error allowed for quadratures, as a share of energy."""


def log_cosh(x: Tensor) -> Tensor:
    """Logarithm of the hyperbolic cosine, without overflow."""
    x = x.abs()
    return x + torch.log1p(torch.exp(-2 * x)) - math.log(2.0)


def log_affine(log_size: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""Bound of :math:`\log |W h + b|` from one of :math:`\log |h|`: ``[*, H]`` to ``[*, C]``."""
    most = log_size.amax(dim=-1, keepdim=True).clamp(min=0)
    size = torch.exp(log_size.clamp(min=most - LOG_SPREAD) - most)  # raised, never lowered
    value = (size @ weight.abs().mT + bias.abs() * torch.exp(-most)).log() + most
    return value.nan_to_num(nan=math.inf, posinf=math.inf, neginf=-math.inf)


def strip_band(log_size: Tensor, tail: float) -> Tensor:
    r"""Frequency per axis above which at most the share ``tail`` of functions lies, from sizes at imaginary shifts.

    .. math::
        b = \min_t \frac1t \operatorname{arcosh} \frac{4 M(t)}{\pi\, \varepsilon\, M(0)}

    Args:
        log_size: :math:`\log M` at :data:`SHIFTS` along each axis.
        tail: :math:`\varepsilon`.

    Shapes:
        - **log_size:** ``[T, D, C]``
        - **output:** ``[D]``, the largest over all functions
    """
    ratio = log_size[1:] - log_size[:1]
    ratio = torch.where(log_size[:1] == -math.inf, -math.inf, ratio)  # a function that is zero
    ratio = (ratio + math.log(4 / math.pi / tail)).amax(dim=-1).clamp(min=0)
    arcosh = ratio + torch.log1p((-torch.expm1(-2 * ratio)).sqrt())
    return (arcosh / SHIFTS[1:, None]).amin(dim=0)


def slope_band(slope: Tensor, size: Tensor, tail: float) -> Tensor:
    r"""The same band from slopes :math:`\Lambda` ``[C, D]`` and sizes: :math:`\pi \Lambda / 2 \varepsilon M(0)`."""
    share = torch.where(slope > 0, slope / size.unsqueeze(-1), 0.0)
    return (0.5 * math.pi / tail * share).amax(dim=0)


def profile_band(profile: Callable[[Tensor], Tensor], start: float, end: float, tail: float) -> float:
    r"""Frequency above which at most a share of a window's l2 norm lies; the window is cut off outside an interval.

    .. math::
        \frac1\pi \int_b^\infty |\hat p|^2 d\kappa = \int p^2 dr - \frac1\pi \int_0^b |\hat p|^2 d\kappa
        \le \frac1\pi \int_b^\infty \Big(\frac J\kappa + \frac V{\kappa^2}\Big)^2 d\kappa, \qquad
        J = |p(a)| + |p(e)|, \quad V = |p'(a)| + |p'(e)| + \sqrt{(e - a) \smallint p''^2}

    The equation (Parseval) is used as far as the nodes resolve the spectrum. The inequality (two integrations by
    parts) holds everywhere; if the cut leaves a jump, the inequality is also the spectrum's decay.

    Args:
        profile: The window along an axis, twice differentiable inside the interval.
        start: Start :math:`a` of the interval.
        end: End :math:`e` of the interval.
        tail: Square root of the share of energy, at least 1e-5.
    """
    length = end - start
    nodes, weights = (torch.from_numpy(a) for a in _gauss(NODES))
    with torch.enable_grad():
        r = torch.cat([start + length * nodes, nodes.new_tensor([start, end])]).requires_grad_()
        p = profile(r) + 0 * r**2
        slope = torch.autograd.grad(p.sum(), r, create_graph=True)[0]
        curve = torch.autograd.grad(slope.sum(), r)[0][:-2]
    p, slope = p.detach(), slope.detach().abs()
    weights = weights * length
    energy = (weights * p[:-2].square()).sum()
    allowed = tail**2 * energy

    jump = p[-2:].abs().sum()
    rest = slope[-2:].sum() + (length * (weights * curve.square()).sum()).sqrt()
    b = torch.logspace(-2, 9, 12_000, dtype=torch.double) / length
    beyond = (jump.square() / b + jump * rest / b**2 + rest.square() / (3 * b**3)) / math.pi
    fits = b[beyond <= allowed]
    bound = fits[0].item() if len(fits) > 0 else math.inf

    across, share = (torch.from_numpy(a) for a in _gauss(8))
    width = PHASE / length / PANELS
    frequencies = width * (torch.arange(PANELS, dtype=torch.double)[:, None] + across)
    phase = frequencies.flatten()[:, None] * r.detach()[:-2]
    mass = weights * p[:-2]
    power = (phase.cos() @ mass).square() + (phase.sin() @ mass).square()
    below = (power.view(PANELS, -1) @ (share * width / math.pi)).cumsum(0)
    fits = torch.nonzero(energy * (1 + ROUNDING) - below <= allowed)
    return min(bound, (fits[0].item() + 1) * width) if len(fits) > 0 else bound


@lru_cache(maxsize=4)
def _gauss(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss-Legendre quadrature on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (nodes + 1), 0.5 * weights
