"""S4D: a diagonal system per channel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ccnn_geo.experiments.baselines.hippo import nplr_legs
from ccnn_geo.experiments.baselines.state_space import StateSpaceLayer, complex_parameter
from ccnn_geo.experiments.baselines.vandermonde import power_sums

INITIALISATIONS = ("lin", "legs")
DISCRETISATIONS = ("zoh", "bilinear")


class S4D(StateSpaceLayer):
    r"""State-space layer with a diagonal state matrix.

    .. math::
        K_l = 2 \Re \sum_n C_n \bar B_n \bar\lambda_n^l, \quad
        (\bar\lambda, \bar B) = \left( e^{z}, \frac{e^{z} - 1}{\lambda} \right) \; \text{or} \;
        \left( \frac{1 + z / 2}{1 - z / 2}, \frac{\Delta}{1 - z / 2} \right), \quad z = \Delta \lambda

    by zero-order hold or bilinearly. One of each conjugate pair is kept; B is 1, since only its product with C
    matters. Trained are :math:`\log \Delta`, :math:`\log(-\Re \lambda)`, :math:`\Im \lambda`, C and D.

    Args:
        channels: Number of channels :math:`H`, each with its own system.
        state: State size :math:`N`, even.
        init: ``"lin"``, :math:`\lambda_n = -\tfrac{1}{2} + i \pi n`, or ``"legs"``, the eigenvalues of HiPPO-LegS'
            normal part.
        discretisation: Zero-order hold, ``"zoh"``, or ``"bilinear"``.

    Shapes:
        - **input, output:** :math:`(B, H, L)`

    Raises:
        ValueError: If the input is not of this shape, the state size is odd, or an option is unknown.

    Source: Gu et al., 2022 (On the Parameterization and Initialization of Diagonal State Space Models), Secs. 3 and 4;
    modelled on the reference implementation's ``S4DKernel``.
    """

    def __init__(
        self, channels: int, state: int = 64, init: str = "lin", discretisation: str = "zoh"
    ) -> None:
        if state < 2 or state % 2:
            raise ValueError(f"S4D: expected an even state size, got {state}")
        if init not in INITIALISATIONS or discretisation not in DISCRETISATIONS:
            raise ValueError(
                f"S4D: expected init of {INITIALISATIONS} and discretisation of {DISCRETISATIONS}, "
                f"got {init!r} and {discretisation!r}"
            )
        super().__init__(channels, state)
        self.discretisation = discretisation
        half = state // 2
        frequency = nplr_legs(state).poles.imag if init == "legs" else math.pi * torch.arange(half)
        self.log_decay = nn.Parameter(torch.full((channels, half), math.log(0.5)))
        self.frequency = nn.Parameter(frequency.float().repeat(channels, 1))
        self.c = complex_parameter(torch.randn(channels, half, dtype=torch.complex64))

    @property
    def poles(self) -> Tensor:
        """The diagonal, ``[H, N / 2]``."""
        return torch.complex(-self.log_decay.exp(), self.frequency)

    def kernel(self, length: int) -> Tensor:
        # in double precision, for N / 2 values per channel: exp(z) - 1 cancels, and phases grow with the length
        poles, step = self.poles.to(torch.complex128), self.step
        z = step * poles
        if self.discretisation == "zoh":
            exponents, b = z, (z.exp() - 1) / poles
        else:
            exponents, b = ((1 + z / 2) / (1 - z / 2)).log(), step / (1 - z / 2)
        return power_sums(torch.view_as_complex(self.c) * b, exponents, length, self.skip.dtype)
