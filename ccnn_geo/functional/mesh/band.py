"""The band limit of a kernel, and the lattice spacing that carries it."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ccnn_geo.kernels.continuous import ContinuousKernel

OVERSAMPLING = 2.0
"""Ratio of a lattice's highest frequency to the kernel's. With splines of order 6, relative errors are below 1e-3 for
every family and window in 1-D to 3-D, which 1.75 does not reach
(``python -m ccnn_geo.experiments.benchmarks.mesh_accuracy``)."""

TAIL = 1e-2
"""Square root of the share of energy that :func:`measured_band` leaves above the band limit."""

LINES, SAMPLES, MIXTURES = 64, 256, 8
"""Number of lines through the kernel's support, of samples per line, and of random sums of channels."""


@torch.no_grad()
def stated_band(kernel: ContinuousKernel) -> Tensor:
    """Highest frequency of the network plus the width of the window's spectrum, ``[D]`` in rad per unit."""
    return kernel.max_frequency() + kernel.window_frequency()


def window_support(kernel: ContinuousKernel) -> Tensor:
    """Half the side of the box outside which the window is zero, ``[D]`` in units of positions."""
    if kernel.window is None:
        return torch.full_like(kernel.domain, math.inf)
    return kernel.window.half_width().detach() * kernel.radius


@torch.no_grad()
def measured_band(kernel: ContinuousKernel, tail: float = TAIL) -> Tensor:
    r"""Frequency above which a kernel's spectrum is negligible, per axis, from samples along random lines.

    .. math::
        \min \Big\{ b : \int_{|\omega_d| > b} \|\hat k(\omega)\|^2 d\omega
                        \le \varepsilon^2 \int \|\hat k(\omega)\|^2 d\omega \Big\}

    A stated bound adds up the fastest filter of each layer. This one measures the kernel itself, and is three to five
    times lower for MAGNet. It is infinite if the support is, or if the samples do not resolve the spectrum.
    Frequencies are rounded up to multiples of pi divided by the support.

    Args:
        kernel: The continuous kernel.
        tail: Relative l2 norm :math:`\varepsilon` of the neglected spectrum.

    Shapes:
        - **output:** ``[D]`` in rad per unit of position
    """
    support = kernel.support()
    band = torch.full_like(support, math.inf)
    if support.device.type == "cpu" and not support.isfinite().all():  # elsewhere it is not waited for
        return band
    ends = support < window_support(kernel)
    weight = kernel.output_weight()
    signs, directions = _probes(weight.size(0), kernel.dim, weight.dtype, weight.device)
    weight = signs @ weight  # random sums have the energy of all channels in the mean
    from_each_on = weight.new_ones(SAMPLES // 2 + 1, SAMPLES // 2 + 1).triu()
    along = torch.arange(SAMPLES, dtype=support.dtype, device=support.device) * (2 / SAMPLES) - 1
    for d in range(kernel.dim):
        lines = directions[d].to(support.dtype)
        # u^3 looks mostly at the centre, where the energy is; its slope makes up for it
        density = lines.square()
        density[..., d] = 1
        rel = lines.pow(3).repeat(1, SAMPLES, 1)
        rel[..., d] = along
        values = kernel.basis((rel * support).to(weight)) @ weight.mT
        # the domain's edge is not the kernel's frequency
        values = values * torch.where(ends[d], (1 - along.square()).square(), 1.0).unsqueeze(-1)
        energy = torch.fft.rfft(values, dim=1).abs().square()
        energy = (energy * density.prod(-1, keepdim=True)).sum((0, 2))
        above = from_each_on @ energy  # no cumsum, which has no deterministic form on CUDA
        bins = (above > tail**2 * above[0]).sum()
        limit = bins * math.pi / support[d]
        band[d] = torch.where(bins < 0.45 * SAMPLES, limit, math.inf)
    return torch.where(support.isfinite().all(), band, math.inf)


@functools.lru_cache(maxsize=64)
def _probes(channels: int, dim: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, list[Tensor]]:
    """Signs of random sums and directions of lines for each axis, the same every time and on every device."""
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode(False):
        signs = torch.randint(0, 2, (MIXTURES, channels), generator=generator).to(dtype) * 2 - 1
        lines = [torch.rand(LINES, 1, dim, generator=generator).to(dtype) * 2 - 1 for _ in range(dim)]
        return signs.to(device), [line.to(device) for line in lines]


def kernel_band(kernel: ContinuousKernel) -> Tensor:
    """The lower of :func:`stated_band` and :func:`measured_band`, ``[D]`` in rad per unit of position."""
    stated = stated_band(kernel)
    return torch.minimum(stated, measured_band(kernel).to(stated))


def mesh_spacing(kernel: ContinuousKernel, oversampling: float = OVERSAMPLING) -> tuple[float, ...]:
    r"""Spacing of a lattice that carries a kernel, per axis.

    .. math::
        h_d = \frac{\pi}{s \, b_d}

    with :math:`b` from :func:`kernel_band` and :math:`s` the oversampling; the result is on the host.

    Args:
        kernel: The continuous kernel.
        oversampling: Ratio :math:`s` of the lattice's highest frequency to the kernel's, at least 1.

    Raises:
        ValueError: If the kernel has no band limit, or the oversampling is below 1.
    """
    if not oversampling >= 1:
        raise ValueError(f"mesh_spacing: expected oversampling >= 1, got {oversampling}")
    band = kernel_band(kernel).tolist()
    if not all(math.isfinite(b) for b in band):
        raise ValueError(
            f"mesh_spacing: {type(kernel.network).__name__} states no highest frequency and none was found in its "
            "support; give a spacing, or a window that ends without a jump (window='tapered', or window_threshold=1e-4)"
        )
    return tuple(math.pi / (oversampling * b) for b in band)


def check_spacing(kernel: ContinuousKernel, spacing: Sequence[float]) -> None:
    """Raises a ``ValueError`` if a lattice cannot carry the kernel's frequencies; measures only if necessary."""

    def too_coarse(band: list[float]) -> bool:
        return any(
            math.isfinite(b) and h * b > math.pi * (1 + 1e-6) for h, b in zip(spacing, band, strict=True)
        )

    stated = stated_band(kernel).tolist()
    if all(math.isfinite(b) for b in stated) and not too_coarse(stated):
        return
    band = kernel_band(kernel).tolist()
    if too_coarse(band):
        raise ValueError(
            f"mesh_conv: a spacing of {_list(spacing)} carries frequencies up to {_list(math.pi / h for h in spacing)} "
            f"rad per unit, the kernel has up to {_list(band)} (it states {_list(stated)}): expected a spacing of at "
            f"most {_list(math.pi / b for b in band)}"
        )


def _list(values: Iterable[float]) -> str:
    return ", ".join(f"{v:.4g}" for v in values)
