"""Which frequencies a kernel has: estimated, bounded, and limited to what samples a distance apart carry."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ccnn_geo.kernels.base import KernelNetwork
from ccnn_geo.kernels.math.spectrum import profile_band
from ccnn_geo.kernels.window import GaussianWindow


class Frequencies(nn.Module):
    """The part of :class:`~ccnn_geo.kernels.continuous.ContinuousKernel` that knows its spectrum."""

    network: KernelNetwork
    window: GaussianWindow | None
    domain: Tensor
    dim: int
    radius: float
    causal: bool

    def support(self) -> Tensor:
        """Half the side of the box outside which the kernel is zero, ``[D]`` in units of positions."""
        raise NotImplementedError

    def max_frequency(self) -> Tensor:
        """Highest angular frequency of the network per axis, ``[D]`` in rad per unit of position."""
        return self.network.max_frequency() / self.radius

    @torch.no_grad()
    def frequency_bound(self, tail: float = 0.05) -> Tensor:
        r"""Frequency above which provably at most a share of the kernel's spectrum lies, ``[D]`` in rad per unit.

        .. math::
            \int_{|\kappa_d| > b_d} |\hat k_c(\kappa)|^2 d\kappa
            \le \varepsilon^2 A_c^2 \int |\hat w(\kappa)|^2 d\kappa

        where :math:`w` is the window, with the jumps where it ends or a causal kernel begins, and :math:`A_c` bounds
        the network as :meth:`~ccnn_geo.kernels.KernelNetwork.frequency_bound` says. Without a window the bound is the
        network's own. The domain's edge does not count: no offset lies beyond, so the kernel may go on there.

        Proof: the network is a part :math:`f` without frequencies above :math:`b'` and a rest below :math:`\delta A`.
        Of :math:`w f` only what comes from the spectrum of :math:`w` above :math:`b''`, a share
        :math:`\varepsilon / 2` of its norm, lies above :math:`b' + b''`; so
        :math:`(1 + \delta) \varepsilon / 2 + \delta = \varepsilon`.

        Args:
            tail: :math:`\varepsilon`, from 1e-5 to 1.

        Raises:
            ValueError: If the tail is out of range.

        Source: :mod:`ccnn_geo.kernels.math.spectrum`.
        """
        if not 1e-5 <= tail < 1:
            raise ValueError(f"frequency_bound: expected tail in [1e-5, 1), got {tail}")
        window = None if self.window is None else copy.deepcopy(self.window).cpu().double()
        rest = tail if window is None else tail / (2 + tail)
        band = self.network.frequency_bound(rest, self.support() / self.radius)
        if window is not None:
            band = band + band.new_tensor(
                [_window_band(window, d, self.causal, tail / 2) for d in range(self.dim)]
            )
        return band / self.radius

    @torch.no_grad()
    def limit_frequencies(self, spacing: float | Sequence[float] | Tensor) -> None:
        r"""Slows down filters of the network that points a distance apart could not carry, and no others.

        The network may have frequencies up to :math:`\pi / h_d` less the window's own, in equal parts for its layers;
        see :meth:`~ccnn_geo.kernels.KernelNetwork.limit_frequencies`.

        Args:
            spacing: Distance :math:`h` of the points, one or one per axis.

        Raises:
            ValueError: If the window alone is narrower than that allows, or the network has no frequencies.
        """
        nyquist, window = self.nyquist(spacing), self.window_frequency()
        if self.window is not None and not (window < nyquist).all():
            width = (self.window.width * window / nyquist).amax().item()
            raise ValueError(
                f"limit_frequencies: points {_list(math.pi / nyquist)} apart carry frequencies up to {_list(nyquist)} "
                f"rad per unit, the window alone has up to {_list(window)}; expected window_init above {width:.3g}"
            )
        self.network.limit_frequencies((nyquist - window) * self.radius)

    def nyquist(self, spacing: float | Sequence[float] | Tensor) -> Tensor:
        """Highest frequency that points a distance apart carry, ``[D]`` in rad per unit of position."""
        spacing = torch.as_tensor(spacing).to(self.domain).expand(self.dim)
        if not ((spacing > 0) & spacing.isfinite()).all():
            raise ValueError(f"nyquist: expected a spacing > 0 and finite, got {_list(spacing)}")
        return math.pi / spacing

    def filter_frequencies(self) -> list[Tensor]:
        """Frequency of each filter of the network per axis, ``[H, D]`` a layer in rad per unit of position."""
        return [frequencies / self.radius for frequencies in self.network.filter_frequencies()]

    def window_frequency(self) -> Tensor:
        """Width of the window's spectrum, ``[D]`` in rad per unit of position; 0 without a window."""
        if self.window is None:
            return torch.zeros_like(self.domain)
        return self.window.spectral_width() / self.radius


def _list(values: Tensor) -> str:
    return ", ".join(f"{v:.4g}" for v in values.tolist())


def _window_band(window: GaussianWindow, axis: int, causal: bool, tail: float) -> float:
    # what a Gaussian is beyond nine deviations does not count in double precision
    end = min(window.half_width()[axis].item(), 9 * window.width[axis].item())
    along = torch.eye(window.dim, dtype=torch.double)[axis]
    return profile_band(lambda r: window.profile(r.unsqueeze(-1) * along), 0.0 if causal else -end, end, tail)
