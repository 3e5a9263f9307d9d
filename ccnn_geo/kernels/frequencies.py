"""Frequencies of a windowed kernel: a proven bound, and the Nyquist rate of points at a given distance."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ccnn_geo._base.sending import sent
from ccnn_geo.kernels.base import KernelNetwork
from ccnn_geo.kernels.math.spectrum import profile_band
from ccnn_geo.kernels.window import GaussianWindow


@torch.no_grad()
def windowed_band(
    network: KernelNetwork, window: GaussianWindow | None, reach: Tensor, causal: bool, tail: float
) -> Tensor:
    """Frequency above which at most a share of a windowed network's spectrum lies, ``[D]`` in rad per unit.

    :meth:`~ccnn_geo.kernels.ContinuousKernel.frequency_bound` states the bound.

    Args:
        network: The kernel network.
        window: Its window, if there is one.
        reach: Largest offset per axis, ``[D]``.
        causal: Whether the kernel begins at offset 0.
        tail: The share, from 1e-5 to 1.

    Raises:
        ValueError: If the tail is out of range.
    """
    if not 1e-5 <= tail < 1:
        raise ValueError(f"frequency_bound: expected tail in [1e-5, 1), got {tail}")
    if window is None:
        return network.frequency_bound(tail, reach)
    window = copy.deepcopy(window).cpu().double()
    bands = [_window_band(window, axis, causal, tail / 2) for axis in range(window.dim)]
    band = network.frequency_bound(tail / (2 + tail), reach)
    return band + band.new_tensor(bands)


def _window_band(window: GaussianWindow, axis: int, causal: bool, tail: float) -> float:
    # beyond nine deviations a Gaussian vanishes in double precision
    end = min(window.half_width()[axis].item(), 9 * window.width[axis].item())
    along = torch.eye(window.dim, dtype=torch.double)[axis]
    return profile_band(lambda r: window.profile(r.unsqueeze(-1) * along), 0.0 if causal else -end, end, tail)


def nyquist_rate(spacing: float | Sequence[float] | Tensor, like: Tensor) -> Tensor:
    r"""Highest frequency :math:`\pi / h_d` that points at a given distance carry, ``[D]`` in rad per unit.

    Args:
        spacing: Distance :math:`h` of the points, one number or one per axis.
        like: Tensor ``[D]`` with the dimension, type and device of the result.

    Raises:
        ValueError: If a distance is not positive and finite.
    """
    spacing = torch.as_tensor(spacing).to(like.dtype).expand_as(like)
    if not ((spacing > 0) & spacing.isfinite()).all():  # where it is: on the host nobody is waited for
        raise ValueError(f"nyquist: expected a spacing > 0 and finite, got {numbers(spacing)}")
    return math.pi / (sent(spacing, like.device) if spacing.device.type == "cpu" else spacing.to(like))


def numbers(values: Tensor) -> str:
    """The entries of a vector, for a message."""
    return ", ".join(f"{v:.4g}" for v in values.tolist())
