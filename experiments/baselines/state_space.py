"""The base of linear state-space layers: a step size and a skip per channel, and a causal convolution."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ccnn_geo.functional.grid.conv import grid_conv

STEP_RANGE = (1e-3, 1e-1)


class StateSpaceLayer(nn.Module, ABC):
    r"""One linear system per channel, :math:`x' = A x + B u, \; y = C x + D u`, sampled with a trained step.

    .. math::
        y_l = \sum_{j \le l} K_{l - j} \, u_j + D u_l, \quad K_l = \bar C \bar A^l \bar B

    Args:
        channels: Number of channels :math:`H`, each with its own system.
        state: State size :math:`N` of each.

    Shapes:
        - **input, output:** :math:`(B, H, L)`

    Raises:
        ValueError: If the input is not of this shape.

    Step sizes start log-uniform in [0.001, 0.1].

    Source: Gu et al., 2021 (LSSL), Sec. 3.1.
    """

    def __init__(self, channels: int, state: int) -> None:
        super().__init__()
        self.channels, self.state = channels, state
        low, high = map(math.log, STEP_RANGE)
        self.log_step = nn.Parameter(low + (high - low) * torch.rand(channels))
        self.skip = nn.Parameter(torch.randn(channels))

    @property
    def step(self) -> Tensor:
        r"""Step sizes :math:`\\Delta`, ``[H, 1]``."""
        return self.log_step.exp().unsqueeze(-1)

    @abstractmethod
    def kernel(self, length: int) -> Tensor:
        """The first ``length`` values of the impulse response, without the skip, ``[H, L]``."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 3 or x.size(1) != self.channels or x.size(2) == 0:
            raise ValueError(
                f"{type(self).__name__}: expected x [B, {self.channels}, L] with L > 0, got {list(x.shape)}"
            )
        kernel = self.kernel(x.size(-1))
        kernel[:, 0] += self.skip  # the skip is the response at lag 0
        return grid_conv(x, kernel, (0,))

    def extra_repr(self) -> str:
        return f"{self.channels}, state={self.state}"


def complex_parameter(values: Tensor) -> nn.Parameter:
    """A complex parameter as pairs of float32 numbers: ``Module.to`` would drop imaginary parts."""
    return nn.Parameter(torch.view_as_real(values.to(torch.complex64)).clone())
