"""A kernel network, its window and its domain: the function that every convolution path samples."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import prod
from typing import Any, TypeVar

import torch
from torch import Tensor

from ccnn_geo.kernels.cache import KernelCache
from ccnn_geo.kernels.families import KERNELS
from ccnn_geo.kernels.frequencies import Frequencies
from ccnn_geo.kernels.window import WINDOWS

T = TypeVar("T")

DOMAIN_TOLERANCE = 1e-5
"""Relative slack of the domain's edge, so that rounding of positions cannot drop its last samples."""


class ContinuousKernel(Frequencies):
    r"""A windowed kernel network on a bounded domain.

    .. math::
        k(r) = w(r / R) \, \big(W_{\mathrm{out}} \varphi(r / R) + b_{\mathrm{out}}\big)
               \quad\text{for } |r_d| \le \Delta_d \text{ (and } r \ge 0 \text{ if causal), else } 0

    Every path of a convolution (points, grid) evaluates this one function. Since the output layer is
    linear, :meth:`basis` also offers :math:`[w\,\varphi, w]`, whose product with :meth:`output_weight` is
    :math:`k`: a sum over neighbours may be taken before that product.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        out_channels: Number of kernel values :math:`C`; or ``(C_out, C_in)``, whose product it is, for a matrix of
            them.
        hidden: Hidden width :math:`H` of the kernel network.
        num_layers: Its depth.
        omega_0: Its frequency prior.
        kernel: Name of the family, a key of :data:`ccnn_geo.kernels.KERNELS`.
        window: Name of the window, a key of :data:`ccnn_geo.kernels.window.WINDOWS`, or ``None``.
        window_init: Initial window width, in units of :math:`R`.
        window_threshold: Value at which the window ends.
        window_isotropic: One window width for all axes; by default for ``dim >= 3``.
        radius: :math:`R`, the length that relative positions are divided by.
        domain: :math:`\Delta`, in units of the positions; by default the largest seen in training.
        causal: Zero for negative lags (``dim == 1``).
        low_pass: Standard deviation of a Gaussian low-pass of the network, in units of the positions; for families
            that have one.

    Shapes:
        - **input:** relative positions :math:`(*, D)`, target minus source
        - **output:** kernel values :math:`(*, C)`

    Raises:
        ValueError: If a name is unknown or an argument out of range.
    """

    domain: Tensor

    def __init__(
        self,
        dim: int,
        out_channels: int | tuple[int, int],
        hidden: int = 32,
        num_layers: int = 3,
        omega_0: float = 50.0,
        kernel: str = "magnet",
        window: str | None = "gaussian",
        window_init: float = 0.075,
        window_threshold: float = 0.1,
        window_isotropic: bool | None = None,
        radius: float = 1.0,
        domain: float | None = None,
        causal: bool = False,
        low_pass: float = 0.0,
    ) -> None:
        super().__init__()
        if kernel not in KERNELS:
            raise ValueError(
                f"ContinuousKernel: expected kernel to be one of {sorted(KERNELS)}, got {kernel!r}"
            )
        if window is not None and window not in WINDOWS:
            raise ValueError(
                f"ContinuousKernel: expected window to be one of {sorted(WINDOWS)} or None, got {window!r}"
            )
        if not radius > 0:
            raise ValueError(f"ContinuousKernel: expected kernel_radius > 0, got {radius}")
        if domain is not None and not domain > 0:
            raise ValueError(f"ContinuousKernel: expected kernel_domain > 0 or None, got {domain}")
        if causal and dim != 1:
            raise ValueError(f"ContinuousKernel: a causal kernel needs dim == 1, got dim={dim}")
        extra: dict[str, Any] = {}
        if kernel in ("magnet", "gabor"):  # Gabor centres start where the window looks (Sec. 3 of FlexConv)
            extra = {"mean_scale": 1.667 * window_init, "causal": causal}
        if low_pass != 0:
            if not KERNELS[kernel].passes_low:
                having = sorted(name for name, family in KERNELS.items() if family.passes_low)
                raise ValueError(
                    f"ContinuousKernel: expected a kernel of {having} with a low_pass, got {kernel!r}"
                )
            extra["low_pass"] = low_pass / radius
        self.shape = (out_channels,) if isinstance(out_channels, int) else tuple(out_channels)
        self.out_channels = prod(self.shape)
        self.is_dense = len(self.shape) == 2  # values are a matrix, which sums over channels
        self.network = KERNELS[kernel](dim, self.out_channels, hidden, num_layers, omega_0, **extra)
        self.window = (
            None
            if window is None
            else WINDOWS[window](dim, window_init, window_threshold, isotropic=window_isotropic)
        )
        self.dim = dim
        self.radius = radius
        self.fixed_domain = domain
        self.causal = causal
        self.cache = KernelCache()
        self.register_buffer("domain", torch.empty(dim))
        self.reset_domain()

    @property
    def is_fixed(self) -> bool:
        """Whether what it gives may be kept: in inference, where no gradient flows to it."""
        if self.training or torch.compiler.is_compiling():
            return False
        return not (torch.is_grad_enabled() and True in [p.requires_grad for p in self.parameters()])

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of ``make`` under ``key``, from the cache as long as the kernel is what it was."""
        return (
            self.cache.recall((*self.parameters(), *self.buffers()), key, make) if self.is_fixed else make()
        )

    def train(self, mode: bool = True) -> ContinuousKernel:
        """Sets the mode; what inference has remembered is forgotten when training begins."""
        if mode:
            self.cache.clear()
        return super().train(mode)

    def reset_domain(self) -> None:
        """Forgets the offsets seen in training; infinity stands for 'none yet', which bounds nothing."""
        self.domain.fill_(torch.inf if self.fixed_domain is None else self.fixed_domain)

    def reset_parameters(self) -> None:
        """Draws the network anew, and resets window and domain."""
        self.network.reset_parameters()
        if self.window is not None:
            self.window.reset_parameters()
        self.reset_domain()

    @torch.no_grad()
    def observe(self, extent: Tensor) -> None:
        """Widens the domain to offsets ``[D]`` seen in training, unless it is fixed."""
        if self.fixed_domain is None:
            seen = torch.where(self.domain.isinf(), 0.0, self.domain)
            self.domain.copy_(torch.fmax(seen, extent.to(seen)))  # fmax: a NaN must not stay for good

    @torch.no_grad()
    def support(self) -> Tensor:
        """Half the side of the box outside which the kernel is zero, ``[D]`` in units of positions."""
        bound = self.domain * (1 + DOMAIN_TOLERANCE)
        if self.window is not None:
            bound = torch.minimum(bound, self.window.half_width() * self.radius)
        return bound

    @torch.no_grad()
    def inside(self, rel: Tensor, support: Tensor | None = None) -> Tensor:
        """Whether relative positions ``[*, D]`` lie in the support, or one ``[D]`` given: ``[*]`` bool."""
        support = self.support() if support is None else support
        inside = rel[..., 0] >= 0 if self.causal else rel[..., 0] >= -support[0]
        inside = inside & (rel[..., 0] <= support[0])
        for d in range(1, self.dim):  # a reduction over two or three entries is slower than two comparisons
            inside &= rel[..., d].abs() <= support[d]
        return inside

    def basis(self, rel: Tensor) -> Tensor:
        r""":math:`[w \varphi, w]` at offsets ``[*, D]``: ``[*, H + 1]``, zero outside the support."""
        return self.basis_inside(rel) * self.inside(rel).unsqueeze(-1)

    def basis_inside(self, rel: Tensor) -> Tensor:
        """:meth:`basis` for offsets that are known to lie in the support."""
        scaled = rel if self.radius == 1 else rel / self.radius
        values = self.network.basis(scaled)
        if self.window is None:
            return torch.cat([values, torch.ones_like(values[..., :1])], dim=-1)
        weight = self.window.profile(scaled).unsqueeze(-1)
        return torch.cat([values * weight, weight], dim=-1)

    def definition(self, rel: Tensor) -> Tensor:
        """Kernel values ``[*, C]`` at offsets ``[*, D]`` by the formula: slow, and what every path is held to."""
        scaled = rel / self.radius
        values = self.network.output(self.network.definition(scaled)) * self.inside(rel).unsqueeze(-1)
        return values if self.window is None else values * self.window.profile(scaled).unsqueeze(-1)

    def output_weight(self) -> Tensor:
        """Output layer with its bias as last column, ``[C, H + 1]``."""
        output = self.network.output
        return torch.cat([output.weight, output.bias.unsqueeze(-1)], dim=-1)

    def forward(self, rel: Tensor) -> Tensor:
        """Kernel values: relative positions ``[*, D]`` to ``[*, C]``, in full precision under autocast."""
        if rel.size(-1) != self.dim:
            raise ValueError(f"ContinuousKernel: expected offsets [..., {self.dim}], got {list(rel.shape)}")
        with torch.autocast(rel.device.type, enabled=False):
            return self.basis(rel.to(self.network.output.weight.dtype)) @ self.output_weight().mT
