"""Gaussian window with a learnable width (FlexConv): its value and its support."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

MIN_WIDTH = 1e-4
"""Smallest width: below it (r / sigma)^2 overflows float32 for positions of order one."""


class GaussianWindow(nn.Module):
    r"""Gaussian window, zero outside the box where it has fallen to a threshold.

    .. math::
        w(r) = \exp\Big(-\tfrac12 \sum_d (r_d / \sigma_d)^2\Big) \;
               \mathbb 1\big[\,|r_d| \le \sigma_d \sqrt{-2 \log t} \ \ \forall d\,\big]

    The width is :math:`\sigma = 10^{-4} + \mathrm{softplus}(\rho)`: positive for every real
    :math:`\rho`, and linear for large ones, so it can neither turn negative nor overflow.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        width_init: Initial :math:`\sigma`, in units of the relative positions.
        threshold: Value :math:`t` in [0, 1) that bounds the support; 0 means no bound.
        isotropic: One width for all axes; by default for ``dim >= 3`` only, as the paper's counts imply.

    Shapes:
        - **input:** relative positions :math:`(*, D)`
        - **output:** window values :math:`(*)`

    Raises:
        ValueError: If the width or the threshold is out of range.

    Source: Romero et al., 2022 (FlexConv), Sec. 3; appendix C of the CCNN paper.
    """

    def __init__(
        self, dim: int, width_init: float = 0.075, threshold: float = 0.1, isotropic: bool | None = None
    ) -> None:
        super().__init__()
        if not width_init > MIN_WIDTH:
            raise ValueError(f"GaussianWindow: expected width_init > {MIN_WIDTH:g}, got {width_init}")
        if not 0 <= threshold < 1:
            raise ValueError(f"GaussianWindow: expected threshold in [0, 1), got {threshold}")
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

    def gaussian(self, rel: Tensor) -> Tensor:
        """The window without its end: relative positions ``[*, D]`` to ``[*]``."""
        # exp2 takes a quarter of the time of exp (experiments/bench_primitives.py)
        return torch.exp2(rel.square() @ (-0.5 * math.log2(math.e) / self.width.square()))

    def forward(self, rel: Tensor) -> Tensor:
        value = self.gaussian(rel)
        return value if self.threshold == 0 else value * (rel.abs() <= self.half_width()).all(dim=-1)

    def extra_repr(self) -> str:
        return f"width_init={self.width_init:g}, threshold={self.threshold:g}, isotropic={self.isotropic}"
