"""Cardinal B-splines: values at a point's lattice nodes, slopes, and the filter that inverts them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def bspline_nodes(coords: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """The lowest of ``order`` nodes around coordinates in cells (integral floats), and the remainder in [0, 1)."""
    shifted = coords - 0.5 * order
    low = shifted.floor()
    return low + 1, shifted - low


def bspline_weights(rest: Tensor, order: int) -> Tensor:
    r"""Values of a centred B-spline at its ``order`` nodes, from the lowest node up.

    .. math::
        N_1 = \mathbb 1_{[0, 1)}, \qquad
        N_p(s) = \frac{s \, N_{p-1}(s) + (p - s) \, N_{p-1}(s - 1)}{p - 1}, \qquad
        w_k = N_m(t + m - 1 - k)

    Args:
        rest: Offset :math:`t` in [0, 1), the second result of :func:`bspline_nodes`.
        order: Number of nodes :math:`m`; the spline has degree :math:`m - 1`.

    Shapes:
        - **rest:** any shape :math:`(*)`
        - **output:** :math:`(*, m)`; sums to 1

    Raises:
        ValueError: If the order is below 1.

    Source: de Boor, 1972; Essmann et al., 1995 (smooth particle mesh Ewald), Eq. 4.1.
    """
    if order < 1:
        raise ValueError(f"bspline_weights: expected order >= 1, got {order}")
    return _pieces(rest, order).flip(-1)


def bspline_slopes(rest: Tensor, order: int) -> Tensor:
    r"""Derivatives of :func:`bspline_weights` in the coordinate, :math:`N_m' (s) = N_{m-1}(s) - N_{m-1}(s-1)`.

    Shapes:
        - **rest:** any shape :math:`(*)`
        - **output:** :math:`(*, m)`; sums to 0

    Raises:
        ValueError: If the order is below 2: a step has no slope.
    """
    if order < 2:
        raise ValueError(f"bspline_slopes: expected order >= 2, got {order}")
    lower = _pieces(rest, order - 1)
    return (F.pad(lower, (0, 1)) - F.pad(lower, (1, 0))).flip(-1)


def _pieces(rest: Tensor, order: int) -> Tensor:
    r""":math:`N_p(t + j)` for :math:`j = 0 \dots p - 1`, along a new last axis."""
    t = rest.unsqueeze(-1)
    values = torch.ones_like(t)
    for p in range(2, order + 1):
        s = t + torch.arange(p, dtype=t.dtype, device=t.device)
        values = (s * F.pad(values, (0, 1)) + (p - s) * F.pad(values, (1, 0))) / (p - 1)
    return values


def bspline_dual(
    length: int, order: int, half: bool = False, device: torch.device | str | None = None
) -> Tensor:
    r"""Spectrum by which a spread or gathered lattice is multiplied to undo the splines.

    .. math::
        G(\theta) = \frac{\hat N_m(\theta)}{\sum_k \hat N_m(\theta + 2 \pi k)^2}, \qquad
        \hat N_m(\theta) = \Big(\frac{\sin(\theta / 2)}{\theta / 2}\Big)^m

    This makes :math:`G(\theta) \sum_n N_m(u - n) e^{i \theta n}` the least-squares fit of
    :math:`e^{i \theta u}`. Unlike :math:`1 / \hat N_m` it has no peak at the highest frequencies, so it does not
    amplify the remainder of a kernel without a sharp band limit. The sum is the spectrum of the integer samples
    of :math:`N_{2m}`.

    Args:
        length: Points of the discrete Fourier transform.
        order: :math:`m`.
        half: Only the frequencies of a real transform (``rfft``).
        device: Where it is made, the CPU by default.

    Shapes:
        - **output:** ``[length]`` or ``[length // 2 + 1]``, float64

    Source: Hockney and Eastwood, 1981, Ch. 8 (optimal influence function); Unser, 1999 (dual splines).
    """
    bins = length // 2 + 1 if half else length
    theta = torch.arange(bins, dtype=torch.float64, device=device) * (2 * math.pi / length)
    theta = torch.where(theta > math.pi, theta - 2 * math.pi, theta)
    samples = bspline_weights(theta.new_zeros(()), 2 * order)  # N_2m at 2m - 1, ..., 0; centre at m
    lags = torch.arange(2 * order, dtype=torch.float64, device=device) - (order - 1)
    squares = (samples * torch.cos(theta.unsqueeze(-1) * lags)).sum(-1)
    return torch.sinc(theta / (2 * math.pi)) ** order / squares
