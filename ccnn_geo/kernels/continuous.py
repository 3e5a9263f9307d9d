"""A kernel network, its window and its domain: the function that every convolution path samples."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import prod
from typing import Any, TypeVar

import torch
from torch import Tensor

from ccnn_geo.kernels.cache import KernelCache
from ccnn_geo.kernels.config import KernelConfig
from ccnn_geo.kernels.frequencies import Frequencies

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
        config: The network, window and domain.
        **changes: Settings of the same names that count instead.

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
        config: KernelConfig | None = None,
        **changes: Any,
    ) -> None:
        super().__init__()
        config = KernelConfig(**changes) if config is None else config.changed(**changes)
        if config.causal and dim != 1:
            raise ValueError(f"ContinuousKernel: a causal kernel needs dim == 1, got dim={dim}")
        self.shape = (out_channels,) if isinstance(out_channels, int) else tuple(out_channels)
        self.out_channels = prod(self.shape)
        self.is_dense = len(self.shape) == 2  # values are a matrix, which sums over channels
        self.network = config.make_network(dim, self.out_channels)
        self.window = config.make_window(dim)
        self.dim = dim
        self.config = config
        self.radius, self.fixed_domain, self.causal = (
            config.kernel_radius,
            config.kernel_domain,
            config.causal,
        )
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
