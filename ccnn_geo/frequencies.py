"""Which frequencies a kernel has: estimated, bounded, and limited to what samples a distance apart carry."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from ccnn_geo.functional.spectrum import profile_band
from ccnn_geo.kernels import KernelNetwork
from ccnn_geo.window import GaussianWindow


class Frequencies(nn.Module):
    """The part of :class:`~ccnn_geo.continuous_kernel.ContinuousKernel` that knows its spectrum."""

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

        where :math:`w` is the window, cut off where the kernel ends, and :math:`A_c` bounds the network's values as
        :meth:`~ccnn_geo.kernels.KernelNetwork.frequency_bound` says. The network is a part :math:`f` without
        frequencies above :math:`b'` and a rest below :math:`\delta A`; only the spectrum of :math:`w` above
        :math:`b''`, a share :math:`\varepsilon / 2` of its norm, gets from :math:`w f` above :math:`b' + b''`. So
        :math:`(1 + \delta) \varepsilon / 2 + \delta = \varepsilon`. A kernel without an end, without a window, is
        bounded as the network is, with :math:`\delta = \varepsilon`.

        Args:
            tail: :math:`\varepsilon`, from 1e-5 to 1.

        Raises:
            ValueError: If the tail is out of range.

        Source: :mod:`ccnn_geo.functional.spectrum`.
        """
        if not 1e-5 <= tail < 1:
            raise ValueError(f"ContinuousKernel.frequency_bound: expected tail in [1e-5, 1), got {tail}")
        reach = self.support() / self.radius
        if self.window is not None:  # what a Gaussian is further out does not count in double precision
            reach = torch.minimum(reach, 9 * self.window.width)
        width = [self._profile_band(d, reach[d].item(), tail / 2) for d in range(self.dim)]
        rest = tail / (2 + tail) if any(width) else tail
        return (self.network.frequency_bound(rest, reach) + reach.new_tensor(width)) / self.radius

    def _profile_band(self, axis: int, reach: float, tail: float) -> float:
        if math.isinf(reach):
            return 0.0
        window = None if self.window is None else copy.deepcopy(self.window).cpu().double()

        def profile(r: Tensor) -> Tensor:
            rel = r.unsqueeze(-1) * torch.eye(self.dim, dtype=r.dtype)[axis]
            return torch.ones_like(r) if window is None else window.profile(rel)

        return profile_band(profile, 0.0 if self.causal else -reach, reach, tail)

    @torch.no_grad()
    def limit_frequencies(self, spacing: Tensor) -> None:
        r"""Slows down filters of the network that points a distance apart could not carry, and no others.

        The network may have frequencies up to :math:`\pi / h_d` less the window's own, in equal parts for its layers;
        see :meth:`~ccnn_geo.kernels.KernelNetwork.limit_frequencies`.

        Args:
            spacing: Distance :math:`h` of the points per axis, ``[D]``.

        Raises:
            ValueError: If the window alone is narrower than that allows, or the network has no frequencies.
        """
        nyquist = math.pi / spacing
        limit = nyquist - self.window_frequency()
        if not (limit > 0).all():
            width = (self.window.width * self.window_frequency() / nyquist).amax().item()
            raise ValueError(
                f"limit_frequencies: points {_list(spacing)} apart carry frequencies up to {_list(nyquist)} rad per "
                f"unit, the window alone has up to {_list(self.window_frequency())}; expected window_init above "
                f"{width:.4g}"
            )
        self.network.limit_frequencies(limit * self.radius)

    def window_frequency(self) -> Tensor:
        """Width of the window's spectrum, ``[D]`` in rad per unit of position; 0 without a window."""
        if self.window is None:
            return torch.zeros_like(self.domain)
        return self.window.spectral_width() / self.radius


def _list(values: Tensor) -> str:
    return ", ".join(f"{v:.4g}" for v in values.tolist())
