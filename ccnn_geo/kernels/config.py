"""The settings of a continuous kernel: one description for layers, networks, files and the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ccnn_geo.kernels.base import KernelNetwork
from ccnn_geo.kernels.families import KERNELS
from ccnn_geo.kernels.window import WINDOWS, GaussianWindow

PAPER: dict[str, Any] = {"omega_0": 50.0, "window_init": 0.075}
"""Initial values of the paper's kernels, for positions on [-1, 1]; its tables tune ``omega_0`` per task."""


@dataclass(frozen=True)
class KernelConfig:
    r"""The network, window and domain of a :class:`~ccnn_geo.kernels.continuous.ContinuousKernel`.

    .. math::
        k(r) = w(r / R) \, \varphi_\theta(r / R) \quad\text{for } |r_d| \le \Delta_d, \text{ else } 0

    Without ``omega_0`` and ``window_init`` a kernel adapts to the first batch: R becomes the reach of its window, and
    filters start at frequencies that the batch can carry (:mod:`ccnn_geo.nn.conv.fit`). No number then depends on the
    unit of the positions. If you set only one of the two, the other takes the paper's value (:data:`PAPER`).

    Args:
        kernel_hidden: Hidden width of the kernel network.
        kernel_layers: Depth of the kernel network.
        omega_0: Frequency prior of the kernel network; by default set by the first batch.
        kernel: Family of the kernel network: magnet, siren, gabor, fourier, random_fourier or mlp.
        window: The window: gaussian, tapered (it falls smoothly to zero at its end), or null for none.
        window_init: Initial width of the window, in units of kernel_radius; by default the window ends at that radius.
        window_threshold: Value at which the window, and with it the kernel, ends.
        window_isotropic: One window width for all axes; by default for three dimensions only.
        causal: Whether the kernel sees the past only; for sequences.
        kernel_radius: Length R that relative positions are divided by; by default set by the first batch, or 1 if
            omega_0 or window_init is given.
        kernel_domain: Largest offset along an axis that the kernel covers, in units of the positions; by default
            the largest seen in training.
        low_pass: Standard deviation of a Gaussian low-pass of the kernel, in units of the positions. Points a distance
            h apart carry frequencies up to pi / h; a low-pass of h leaves 0.7 % there. It needs omega_0 or window_init.

    Raises:
        ValueError: If a name is unknown or a number is out of range.

    Example:
        >>> KernelConfig(omega_0=2.0).changed(window="tapered").window
        'tapered'

    Source: appendix C of the CCNN paper; Romero et al., 2022 (FlexConv) for the window.
    """

    kernel_hidden: int = 32
    kernel_layers: int = 3
    omega_0: float | None = None
    kernel: str = "magnet"
    window: str | None = "gaussian"
    window_init: float | None = None
    window_threshold: float = 0.1
    window_isotropic: bool | None = None
    causal: bool = False
    kernel_radius: float | None = None
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
        if self.kernel_radius is not None and not self.kernel_radius > 0:
            raise ValueError(f"KernelConfig: expected kernel_radius > 0 or None, got {self.kernel_radius}")
        if self.kernel_domain is not None and not self.kernel_domain > 0:
            raise ValueError(f"KernelConfig: expected kernel_domain > 0 or None, got {self.kernel_domain}")
        if self.low_pass != 0 and not KERNELS[self.kernel].passes_low:
            having = ", ".join(name for name, family in KERNELS.items() if family.passes_low)
            raise ValueError(
                f"KernelConfig: expected kernel to be one of {having} with a low_pass, got {self.kernel!r}"
            )

        if self.low_pass != 0 and self.fits_data:
            raise ValueError(
                "KernelConfig: expected omega_0 or window_init with a low_pass, which is in units of the positions; "
                "without them kernels adapt to the data and stay below its Nyquist rate"
            )

    @property
    def fits_data(self) -> bool:
        """Whether the first batch sets frequencies and window."""
        return self.omega_0 is None and self.window_init is None

    @property
    def start_omega_0(self) -> float:
        """``omega_0`` for drawing parameters; 1 if the first batch will scale the frequencies."""
        if self.omega_0 is not None:
            return self.omega_0
        return 1.0 if self.fits_data else PAPER["omega_0"]

    @property
    def start_width(self) -> float:
        """Initial width of the window, in units of the radius."""
        if self.window_init is not None:
            return self.window_init
        if not self.fits_data:
            return PAPER["window_init"]
        threshold = self.window_threshold if 0 < self.window_threshold < 1 else 0.1
        return 1 / math.sqrt(-2 * math.log(threshold))

    def make_network(self, dim: int, out_channels: int) -> KernelNetwork:
        """The kernel network, drawn at random."""
        extra: dict[str, Any] = {}
        family = KERNELS[self.kernel]
        if family.has_centres:  # they start inside the window (Sec. 3 of FlexConv)
            extra = {"mean_scale": 1.667 * self.start_width, "causal": self.causal}
        if self.low_pass != 0:
            extra["low_pass"] = self.low_pass / (self.kernel_radius or 1.0)
        return family(dim, out_channels, self.kernel_hidden, self.kernel_layers, self.start_omega_0, **extra)

    def make_window(self, dim: int) -> GaussianWindow | None:
        """The window, if there is one."""
        if self.window is None:
            return None
        width, threshold = self.start_width, self.window_threshold
        return WINDOWS[self.window](dim, width, threshold, isotropic=self.window_isotropic)

    def changed(self, **changes: Any) -> KernelConfig:
        """Returns a copy with some settings changed."""
        return replace(self, **changes)

    @classmethod
    def split(cls, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Splits arguments into fields of this class and the rest.

        Example:
            >>> KernelConfig.split({"omega_0": 2.0, "aggr": "add"})
            ({'omega_0': 2.0}, {'aggr': 'add'})
        """
        own = {field.name for field in fields(cls)}
        return (
            {name: value for name, value in given.items() if name in own},
            {name: value for name, value in given.items() if name not in own},
        )
