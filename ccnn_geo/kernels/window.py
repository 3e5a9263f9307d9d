"""Windows with a learnable width (FlexConv): their value and their support."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ccnn_geo.kernels.base import GAUSSIAN_STDDEVS

MIN_WIDTH = 1e-4
"""Smallest width: below it (r / sigma)^2 overflows float32 for positions of order one."""


class GaussianWindow(nn.Module):
    r"""Gaussian window, zero outside the box where it has fallen to a threshold.

    .. math::
        w(r) = \exp\Big(-\tfrac12 \sum_d (r_d / \sigma_d)^2\Big) \;
               \mathbb 1\big[\,|r_d| \le \sigma_d \sqrt{-2 \log t} \ \ \forall d\,\big]

    The width is :math:`\sigma = 10^{-4} + \mathrm{softplus}(\rho)`. It is positive for every real
    :math:`\rho` and linear for large ones, so it can neither turn negative nor overflow.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        width_init: Initial :math:`\sigma`, in units of the relative positions.
        threshold: Value :math:`t` in [0, 1) that bounds the support; 0 means no bound.
        isotropic: One width for all axes; by default for ``dim >= 3`` only, as the paper's parameter counts imply.

    Shapes:
        - **input:** relative positions :math:`(*, D)`
        - **output:** window values :math:`(*)`

    Raises:
        ValueError: If the width or the threshold is out of range.

    Source: Romero et al., 2022 (FlexConv), Sec. 3; appendix C of the CCNN paper.

    Example:
        >>> window = GaussianWindow(1, width_init=1.0)
        >>> window(torch.tensor([[0.0], [1.0], [3.0]]))
        tensor([1.0000, 0.6065, 0.0000], grad_fn=<MulBackward0>)
    """

    def __init__(
        self, dim: int, width_init: float = 0.075, threshold: float = 0.1, isotropic: bool | None = None
    ) -> None:
        super().__init__()
        if not width_init > MIN_WIDTH:
            raise ValueError(f"{type(self).__name__}: expected width_init > {MIN_WIDTH:g}, got {width_init}")
        if not 0 <= threshold < 1:
            raise ValueError(f"{type(self).__name__}: expected threshold in [0, 1), got {threshold}")
        self.dim = dim
        self.width_init = width_init
        self.threshold = threshold
        self.isotropic = dim >= 3 if isotropic is None else isotropic
        self.rho = nn.Parameter(torch.empty(1 if self.isotropic else dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets the width back to ``width_init``."""
        value = self.width_init - MIN_WIDTH
        nn.init.constant_(self.rho, value + math.log(-math.expm1(-value)))  # inverse softplus

    @property
    def width(self) -> Tensor:
        r""":math:`\sigma` per axis, ``[D]``, in units of the relative positions."""
        return (MIN_WIDTH + nn.functional.softplus(self.rho)).expand(self.dim)

    def half_width(self) -> Tensor:
        """Half the side of the support box per axis, ``[D]``; infinite for a threshold of 0."""
        factor = math.inf if self.threshold == 0 else math.sqrt(-2 * math.log(self.threshold))
        return self.width * factor

    def spectral_width(self) -> Tensor:
        """Two standard deviations of the spectrum per axis, ``[D]`` in rad per unit of the relative positions."""
        return GAUSSIAN_STDDEVS / self.width

    def profile(self, rel: Tensor) -> Tensor:
        """Values at relative positions ``[*, D]`` that lie in the support: ``[*]``."""
        # exp2 takes a quarter of the time of exp (experiments/benchmarks/bench_primitives.py)
        return torch.exp2(rel.square() @ (-0.5 * math.log2(math.e) / self.width.square()))

    def forward(self, rel: Tensor) -> Tensor:
        value = self.profile(rel)
        return value if self.threshold == 0 else value * (rel.abs() <= self.half_width()).all(dim=-1)

    def extra_repr(self) -> str:
        return f"width_init={self.width_init:g}, threshold={self.threshold:g}, isotropic={self.isotropic}"


class TaperedWindow(GaussianWindow):
    r"""Gaussian window that falls smoothly to zero at the end of its support.

    .. math::
        w(r) = \exp\Big(-\tfrac12 \sum_d (r_d / \sigma_d)^2\Big) \prod_d \big(1 - (r_d / s_d)^2\big)_+^2,
               \qquad s_d = \sigma_d \sqrt{-2 \log t}

    The support is the same as for :class:`GaussianWindow`, but value and slope are continuous at its end. A jump has
    an unbounded spectrum, which neither the mesh path nor a change of resolution can represent.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        width_init: Initial :math:`\sigma`, in units of the relative positions.
        threshold: Value :math:`t` in (0, 1) of the Gaussian at the end of the window.
        isotropic: One width for all axes; by default for ``dim >= 3`` only.

    Shapes:
        - **input:** relative positions :math:`(*, D)`
        - **output:** window values :math:`(*)`

    Raises:
        ValueError: If the width or the threshold is out of range.

    Example:
        >>> window = TaperedWindow(1, width_init=1.0)
        >>> end = window.half_width().item()
        >>> window(torch.tensor([[0.0], [0.999 * end]])).tolist()[1] < 1e-6  # a Gaussian window has 0.1 there
        True
    """

    def __init__(
        self, dim: int, width_init: float = 0.075, threshold: float = 0.1, isotropic: bool | None = None
    ) -> None:
        if threshold == 0:
            raise ValueError("TaperedWindow: expected threshold in (0, 1), got 0: the window needs an end")
        super().__init__(dim, width_init, threshold, isotropic)

    def spectral_width(self) -> Tensor:
        # near the centre the taper is a Gaussian too, exp(-2 (r / s)^2), and variances of spectra add
        return GAUSSIAN_STDDEVS * (1 / self.width.square() + 4 / self.half_width().square()).sqrt()

    def profile(self, rel: Tensor) -> Tensor:
        taper = (1 - (rel / self.half_width()).square()).clamp(min=0)
        return super().profile(rel) * taper.prod(dim=-1).square()


WINDOWS = {"gaussian": GaussianWindow, "tapered": TaperedWindow}
"""Windows by name, as in ``KernelConfig.window``."""
