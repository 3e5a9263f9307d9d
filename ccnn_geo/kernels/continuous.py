"""A kernel network with its window and domain: the function that every convolution path samples."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import inf, pi, prod
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ccnn_geo._base.recording import refuse_recording
from ccnn_geo._base.tracing import is_traced, refuse_export
from ccnn_geo.kernels.base import KernelNetwork
from ccnn_geo.kernels.cache import KernelCache
from ccnn_geo.kernels.config import KernelConfig
from ccnn_geo.kernels.frequencies import numbers, nyquist_rate, windowed_band
from ccnn_geo.kernels.window import GaussianWindow

T = TypeVar("T")

DOMAIN_TOLERANCE = 1e-5
"""Relative slack at the domain's edge, so that rounding of positions cannot drop the last samples."""

BAND_LIMITED, INDEPENDENT, LONGEST = 0.11, 0.65, 16.0
"""``omega_0`` of fitted kernels: cycles per sample on points, cycles per sample on grids, and its limit on grids."""


class ContinuousKernel(nn.Module):
    r"""A windowed kernel network on a bounded domain.

    .. math::
        k(r) = w(r / R) \, \big(W_{\mathrm{out}} \varphi(r / R) + b_{\mathrm{out}}\big)
               \quad\text{for } |r_d| \le \Delta_d \text{ (and } r \ge 0 \text{ if causal), else } 0

    Every path of a convolution (points, grid) evaluates this one function. :meth:`basis` offers
    :math:`[w\,\varphi, w]`; its product with :meth:`output_weight` is :math:`k`. The output layer is linear, so a sum
    over neighbours may be taken before that product.

    A kernel takes R and its frequencies from the first batch (:meth:`fit`) if its settings name neither ``omega_0``
    nor ``window_init``; until then R is 1. The buffer ``fitted_radius`` stores R and is 0 before.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        out_channels: Number of kernel values :math:`C`; or ``(C_out, C_in)`` for a matrix of values.
        config: The network, window and domain.
        **changes: Settings that override those of ``config``.

    Shapes:
        - **input:** relative positions :math:`(*, D)`, target minus source
        - **output:** kernel values :math:`(*, C)`

    Raises:
        ValueError: If a name is unknown or an argument out of range.

    Example:
        >>> kernel = ContinuousKernel(2, 8, omega_0=2.0, window_init=0.3)
        >>> kernel(torch.tensor([[0.1, 0.2], [0.9, 0.0]])).count_nonzero(dim=1)  # the window ends at 0.64
        tensor([8, 0])
    """

    network: KernelNetwork
    window: GaussianWindow | None
    domain: Tensor
    fitted_radius: Tensor

    def __init__(
        self,
        dim: int,
        out_channels: int | tuple[int, int],
        config: KernelConfig | None = None,
        **changes: Any,
    ) -> None:
        super().__init__()
        config = KernelConfig(**changes) if config is None else config.changed(**changes)
        if config.causal and dim != 1:
            raise ValueError(f"ContinuousKernel: a causal kernel needs dim == 1, got dim={dim}")
        self.shape = (out_channels,) if isinstance(out_channels, int) else tuple(out_channels)
        self.out_channels = prod(self.shape)
        self.is_dense = len(self.shape) == 2  # values are matrices, which sum over channels
        self.network = config.make_network(dim, self.out_channels)
        self.window = config.make_window(dim)
        self.dim = dim
        self.config = config
        self.fixed_domain, self.causal = config.kernel_domain, config.causal
        self.cache = KernelCache()
        self.register_buffer("domain", torch.empty(dim))
        self._is_fit = not config.fits_data
        if config.fits_data:
            self.register_buffer("fitted_radius", torch.zeros(dim))
            self.register_load_state_dict_pre_hook(_take_unfitted)
            self.register_load_state_dict_post_hook(_look_again)
        self.reset_domain()

    @property
    def radius(self) -> float | Tensor:
        """Length R that relative positions are divided by: a number, or one per axis ``[D]`` from the first batch."""
        if self.config.fits_data and self.is_fit:
            return self.fitted_radius
        return self.config.kernel_radius or 1.0

    @property
    def is_scaled(self) -> bool:
        """Whether the radius differs from the unit of the positions."""
        radius = self.radius
        return isinstance(radius, Tensor) or radius != 1

    @property
    def is_fit(self) -> bool:
        """Whether the first batch has been seen, or none is needed. Reads the buffer (one wait) until it has."""
        if self._is_fit:
            return True
        refuse_export("the kernel fits no batch yet")
        refuse_recording(self.fitted_radius, "the kernel fits no batch yet; run the model once before")
        return bool((self.fitted_radius > 0).all())

    @torch.no_grad()
    def fit(self, reach: Tensor, spacing: Tensor, share: float | None = None) -> None:
        r"""Fits a fresh kernel to data, once: sets its reach and the frequencies of its filters.

        .. math::
            R_d = \text{reach}_d, \qquad \omega_0 = 0.11 \, R_d / h_d

        The kernel is then band-limited: it stays below the Nyquist rate :math:`\pi / h_d` as in
        :meth:`limit_frequencies`, unless the window alone exceeds three quarters of that rate. With a ``share``,

        .. math::
            \omega_0 = \min(0.65 \, R_d / h_d, \; 16), \qquad \gamma \text{ times the share,}

        values at neighbouring positions start independent of each other, except in long kernels, and envelopes are
        drawn in units of half the longest axis, as in the paper.

        Args:
            reach: End of the window, unless ``kernel_radius`` is given.
            spacing: Distance :math:`h` between neighbouring positions.
            share: Share of half the longest axis that the window covers, if positions are the same in all samples.

        Shapes:
            - **reach**, **spacing:** :math:`(D)`, in units of the positions
        """
        if self.config.kernel_radius is not None:
            reach = torch.full_like(reach, self.config.kernel_radius)
        self.fitted_radius.copy_(reach)
        self._is_fit = True
        samples = self.fitted_radius / spacing.to(self.fitted_radius)
        layers = self.network.filters_by_layer()
        if share is not None:
            for _, parameters in layers:
                for parameter in parameters:
                    parameter.mul_(share)
            slowed = share if layers else 1.0
            self.network.scale_frequencies((INDEPENDENT * samples).clamp(max=LONGEST) / slowed)
            return
        self.network.scale_frequencies(BAND_LIMITED * samples)
        if layers:
            nyquist = pi * samples
            left = torch.maximum(nyquist - self.window_frequency() * self.fitted_radius, nyquist / 4)
            self.network.limit_filters(left / len(layers))

    @property
    def is_fixed(self) -> bool:
        """Whether kernel values may be cached: in inference, where no gradient flows to the kernel."""
        if self.training or is_traced():
            return False
        return not (torch.is_grad_enabled() and True in [p.requires_grad for p in self.parameters()])

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """Returns ``make()``, from the cache under ``key`` as long as the kernel has not changed."""
        return (
            self.cache.recall((*self.parameters(), *self.buffers()), key, make) if self.is_fixed else make()
        )

    def train(self, mode: bool = True) -> ContinuousKernel:
        """Sets the mode; training clears the cache of inference."""
        if mode:
            self.cache.clear()
        return super().train(mode)

    def reset_domain(self) -> None:
        """Forgets the offsets seen in training; infinity stands for 'none yet' and bounds nothing."""
        self.domain.fill_(torch.inf if self.fixed_domain is None else self.fixed_domain)

    def reset_parameters(self) -> None:
        """Draws new network parameters, and resets window and domain."""
        self.network.reset_parameters()
        if self.window is not None:
            self.window.reset_parameters()
        if self.config.fits_data:
            self.fitted_radius.zero_()
            self._is_fit = False
        self.reset_domain()

    @torch.no_grad()
    def observe(self, extent: Tensor) -> None:
        """Widens the domain to offsets ``[D]`` seen in training, unless it is fixed."""
        if self.fixed_domain is None:
            seen = torch.where(self.domain.isinf(), 0.0, self.domain)
            self.domain.copy_(torch.fmax(seen, extent.to(seen)))  # fmax: a NaN must not persist

    @torch.no_grad()
    def support(self) -> Tensor:
        """Half the side of the box outside which the kernel is zero, ``[D]`` in units of positions."""
        bound = self.domain * (1 + DOMAIN_TOLERANCE)
        if self.window is not None:
            bound = torch.minimum(bound, self.window.half_width() * self.radius)
        return bound

    @property
    def most_reach(self) -> float:
        """How far it can reach along an axis, whatever it learns, without asking a tensor; infinite by default."""
        return inf if self.fixed_domain is None else self.fixed_domain * (1 + DOMAIN_TOLERANCE)

    @torch.no_grad()
    def inside(self, rel: Tensor, support: Tensor | None = None) -> Tensor:
        """Whether relative positions ``[*, D]`` lie in the kernel's support, or in the given one: ``[*]`` bool."""
        support = self.support() if support is None else support
        inside = rel[..., 0] >= 0 if self.causal else rel[..., 0] >= -support[0]
        inside = inside & (rel[..., 0] <= support[0])
        for d in range(1, self.dim):  # a reduction over two or three entries is slower than two comparisons
            inside &= rel[..., d].abs() <= support[d]
        return inside

    def scaled(self, rel: Tensor) -> Tensor:
        """Relative positions ``[*, D]`` in units of the radius."""
        return rel / self.radius if self.is_scaled else rel

    def basis(self, rel: Tensor) -> Tensor:
        r""":math:`[w \varphi, w]` at offsets ``[*, D]``: ``[*, H + 1]``, zero outside the support."""
        return self.basis_inside(rel) * self.inside(rel).unsqueeze(-1)

    def basis_inside(self, rel: Tensor) -> Tensor:
        """:meth:`basis` for offsets that are known to lie in the support."""
        scaled = self.scaled(rel)
        values = self.network.basis(scaled)
        if self.window is None:
            return torch.cat([values, torch.ones_like(values[..., :1])], dim=-1)
        weight = self.window.profile(scaled).unsqueeze(-1)
        return torch.cat([values * weight, weight], dim=-1)

    def definition(self, rel: Tensor) -> Tensor:
        """Kernel values ``[*, C]`` at offsets ``[*, D]`` by the formula: slow, and the reference of every path."""
        scaled = self.scaled(rel)
        values = self.network.output(self.network.definition(scaled)) * self.inside(rel).unsqueeze(-1)
        return values if self.window is None else values * self.window.profile(scaled).unsqueeze(-1)

    def output_weight(self) -> Tensor:
        """Weight of the output layer with its bias as last column, ``[C, H + 1]``."""
        output = self.network.output
        return torch.cat([output.weight, output.bias.unsqueeze(-1)], dim=-1)

    def forward(self, rel: Tensor) -> Tensor:
        """Kernel values: relative positions ``[*, D]`` to ``[*, C]``, in full precision under autocast."""
        if rel.size(-1) != self.dim:
            raise ValueError(f"ContinuousKernel: expected offsets [..., {self.dim}], got {list(rel.shape)}")
        with torch.autocast(rel.device.type, enabled=False):
            return self.basis(rel.to(self.network.output.weight.dtype)) @ self.output_weight().mT

    # Frequencies ----------------------------------------------------------------------------------

    def max_frequency(self) -> Tensor:
        """Highest angular frequency of the network per axis, ``[D]`` in rad per unit of position."""
        return self.network.max_frequency() / self.radius

    @torch.no_grad()
    def frequency_bound(self, tail: float = 0.05) -> Tensor:
        r"""Frequency above which provably at most a share of the kernel's spectrum lies, ``[D]`` in rad per unit.

        .. math::
            \int_{|\kappa_d| > b_d} |\hat k_c(\kappa)|^2 d\kappa
            \le \varepsilon^2 A_c^2 \int |\hat w(\kappa)|^2 d\kappa

        where :math:`w` is the window, including the jumps at its end and at the start of a causal kernel, and
        :math:`A_c` bounds the network as in :meth:`~ccnn_geo.kernels.KernelNetwork.frequency_bound`. Without a window
        the bound is the network's own. The domain's edge does not matter: no offset lies beyond it, so the kernel may
        continue there.

        Proof: the network is the sum of a function :math:`f` without frequencies above :math:`b'` and a rest below
        :math:`\delta A`. Only the spectrum of :math:`w` above :math:`b''`, a share :math:`\varepsilon / 2` of its
        norm, puts frequencies above :math:`b' + b''` into :math:`w f`. So
        :math:`(1 + \delta) \varepsilon / 2 + \delta = \varepsilon`.

        Args:
            tail: :math:`\varepsilon`, from 1e-5 to 1.

        Raises:
            ValueError: If the tail is out of range.

        Source: :mod:`ccnn_geo.kernels.math.spectrum`.
        """
        reach = self.support() / self.radius
        return windowed_band(self.network, self.window, reach, self.causal, tail) / self.radius

    @torch.no_grad()
    def limit_frequencies(self, spacing: float | Sequence[float] | Tensor) -> None:
        r"""Slows down filters that are too fast for points at a given distance, and leaves the others.

        The network may have frequencies up to :math:`\pi / h_d` minus the window's own, in equal shares for its layers;
        see :meth:`~ccnn_geo.kernels.KernelNetwork.limit_frequencies`.

        Args:
            spacing: Distance :math:`h` of the points, one number or one per axis.

        Raises:
            ValueError: If the window alone is too narrow for that distance, or the network has no frequencies.
        """
        nyquist, window = self.nyquist(spacing), self.window_frequency()
        if self.window is not None and not (window < nyquist).all():
            width = (self.window.width * window / nyquist).amax().item()
            raise ValueError(
                f"limit_frequencies: points {numbers(pi / nyquist)} apart carry frequencies up to {numbers(nyquist)} "
                f"rad per unit, the window alone has up to {numbers(window)}; expected window_init above {width:.3g}"
            )
        self.network.limit_frequencies((nyquist - window) * self.radius)

    def nyquist(self, spacing: float | Sequence[float] | Tensor) -> Tensor:
        """Highest frequency that points at this distance carry, ``[D]`` in rad per unit of position."""
        return nyquist_rate(spacing, self.domain)

    def filter_frequencies(self) -> list[Tensor]:
        """Frequency of each filter of the network per axis, ``[H, D]`` per layer in rad per unit of position."""
        return [frequencies / self.radius for frequencies in self.network.filter_frequencies()]

    def window_frequency(self) -> Tensor:
        """Width of the window's spectrum, ``[D]`` in rad per unit of position; 0 without a window."""
        if self.window is None:
            return torch.zeros_like(self.domain)
        return self.window.spectral_width() / self.radius


def _look_again(kernel: ContinuousKernel, *_: object) -> None:
    kernel._is_fit = bool((kernel.fitted_radius > 0).all())


def _take_unfitted(kernel: ContinuousKernel, state_dict: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Handles weights without a fitted radius (older, or with other settings): they are in units of the positions."""
    if prefix + "domain" in state_dict:
        state_dict.setdefault(f"{prefix}fitted_radius", torch.ones(kernel.dim))
