"""The settings of a continuous kernel: one description for layers, networks, files and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ccnn_geo.kernels.base import KernelNetwork
from ccnn_geo.kernels.families import KERNELS
from ccnn_geo.kernels.window import WINDOWS, GaussianWindow


@dataclass(frozen=True)
class KernelConfig:
    r"""The network, window and domain of a :class:`~ccnn_geo.kernels.continuous.ContinuousKernel`.

    .. math::
        k(r) = w(r / R) \, \varphi_\theta(r / R) \quad\text{for } |r_d| \le \Delta_d, \text{ else } 0

    Args:
        kernel_hidden: Hidden width of the kernel network.
        kernel_layers: Depth of the kernel network.
        omega_0: Frequency prior of the kernel network.
        kernel: Family of the kernel network: magnet, siren, gabor, fourier, random_fourier or mlp.
        window: The window: gaussian, tapered (it falls smoothly to zero at its end), or null for none.
        window_init: Initial width of the window, in units of kernel_radius.
        window_threshold: Value at which the window, and with it the kernel, ends.
        window_isotropic: One width of the window for all axes; by default for three dimensions only.
        causal: Whether the kernel sees the past only; for sequences.
        kernel_radius: Length R that relative positions are divided by.
        kernel_domain: Largest offset along an axis that the kernel covers, in units of the positions; by default
            the largest seen in training.
        low_pass: Standard deviation of a Gaussian low-pass of the kernel, in units of the positions. Points a distance
            h apart carry frequencies up to pi / h; a low-pass of h leaves 0.7 % there.

    Raises:
        ValueError: If a name is unknown or a number is out of range.

    Example:
        >>> KernelConfig(omega_0=2.0).changed(window="tapered").window
        'tapered'

    Source: appendix C of the CCNN paper; Romero et al., 2022 (FlexConv) for the window.
    """

    kernel_hidden: int = 32
    kernel_layers: int = 3
    omega_0: float = 50.0
    kernel: str = "magnet"
    window: str | None = "gaussian"
    window_init: float = 0.075
    window_threshold: float = 0.1
    window_isotropic: bool | None = None
    causal: bool = False
    kernel_radius: float = 1.0
    kernel_domain: float | None = None
    low_pass: float = 0.0

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise ValueError(
                f"KernelConfig: expected kernel to be one of {', '.join(KERNELS)}, got {self.kernel!r}"
            )
        if self.window is not None and self.window not in WINDOWS:
            raise ValueError(
                f"KernelConfig: expected window to be one of {', '.join(WINDOWS)} or None, got {self.window!r}"
            )
        if self.kernel_hidden < 1 or self.kernel_layers < 1:
            raise ValueError(
                "KernelConfig: expected kernel_hidden and kernel_layers >= 1, got "
                f"{self.kernel_hidden}, {self.kernel_layers}"
            )
        if not self.kernel_radius > 0:
            raise ValueError(f"KernelConfig: expected kernel_radius > 0, got {self.kernel_radius}")
        if self.kernel_domain is not None and not self.kernel_domain > 0:
            raise ValueError(f"KernelConfig: expected kernel_domain > 0 or None, got {self.kernel_domain}")
        if self.low_pass != 0 and not KERNELS[self.kernel].passes_low:
            having = ", ".join(name for name, family in KERNELS.items() if family.passes_low)
            raise ValueError(
                f"KernelConfig: expected a kernel of {having} with a low_pass, got {self.kernel!r}"
            )

    def make_network(self, dim: int, out_channels: int) -> KernelNetwork:
        """The kernel network, drawn at random."""
        extra: dict[str, Any] = {}
        if self.kernel in ("magnet", "gabor"):
            # centres start where the window looks (Sec. 3 of FlexConv)
            extra = {"mean_scale": 1.667 * self.window_init, "causal": self.causal}
        if self.low_pass != 0:
            extra["low_pass"] = self.low_pass / self.kernel_radius
        family = KERNELS[self.kernel]
        return family(dim, out_channels, self.kernel_hidden, self.kernel_layers, self.omega_0, **extra)

    def make_window(self, dim: int) -> GaussianWindow | None:
        """The window, if there is one."""
        if self.window is None:
            return None
        width, threshold = self.window_init, self.window_threshold
        return WINDOWS[self.window](dim, width, threshold, isotropic=self.window_isotropic)

    def changed(self, **changes: Any) -> KernelConfig:
        """The same settings but for some."""
        return replace(self, **changes)

    @classmethod
    def split(cls, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Those arguments that are fields of this class, and the rest.

        Example:
            >>> KernelConfig.split({"omega_0": 2.0, "aggr": "add"})
            ({'omega_0': 2.0}, {'aggr': 'add'})
        """
        own = {field.name for field in fields(cls)}
        return (
            {name: value for name, value in given.items() if name in own},
            {name: value for name, value in given.items() if name not in own},
        )
