"""S4: a diagonal plus low-rank system per channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccnn_geo.experiments.baselines.cauchy import dplr_spectrum
from ccnn_geo.experiments.baselines.hippo import nplr_legs
from ccnn_geo.experiments.baselines.state_space import StateSpaceLayer, complex_parameter


class S4(StateSpaceLayer):
    r"""State-space layer with :math:`A = \Lambda - p p^*`, HiPPO-LegS at the start, discretised bilinearly.

    .. math::
        K_l = \tilde C (I - \bar A^L)^{-1} \bar A^l \bar B, \quad
        \bar A = (I - \tfrac{\Delta}{2} A)^{-1} (I + \tfrac{\Delta}{2} A), \quad
        \bar B = (I - \tfrac{\Delta}{2} A)^{-1} \Delta B

    One of each conjugate pair is kept. Trained are :math:`\log \Delta`, :math:`\log(-\Re \Lambda)`,
    :math:`\Im \Lambda`, p, B, D and :math:`\tilde C = C (I - \bar A^L)`, as in effect in the reference
    implementation. The spectrum then needs no powers, but at another length the same parameters mean another C.
    :meth:`output_matrix` converts.

    Args:
        channels: Number of channels :math:`H`, each with its own system.
        state: State size :math:`N`, even.

    Shapes:
        - **input, output:** :math:`(B, H, L)`

    Raises:
        ValueError: If the input is not of this shape, or the state size is odd.

    Source: Gu et al., 2022 (Efficiently Modeling Long Sequences with Structured State Spaces), Sec. 3; modelled on
    the reference implementation's ``SSMKernelDPLR`` of rank 1 with ``init="legs"``.
    """

    def __init__(self, channels: int, state: int = 64) -> None:
        super().__init__(channels, state)
        start = nplr_legs(state)
        self.log_decay = nn.Parameter((-start.poles.real).log().float().repeat(channels, 1))
        self.frequency = nn.Parameter(start.poles.imag.float().repeat(channels, 1))
        self.p = complex_parameter(start.p.repeat(channels, 1))
        self.b = complex_parameter(start.b.repeat(channels, 1))
        self.c = complex_parameter(torch.randn(channels, state // 2, dtype=torch.complex64))

    @property
    def poles(self) -> Tensor:
        r"""The diagonal :math:`\\Lambda`, ``[H, N / 2]``."""
        return torch.complex(-self.log_decay.exp(), self.frequency)

    def kernel(self, length: int) -> Tensor:
        p, b, c = (torch.view_as_complex(t) for t in (self.p, self.b, self.c))
        weights = torch.stack([c * b, c * p, p.conj() * b, p.conj() * p], dim=1)
        step = self.step
        spectrum = dplr_spectrum(step * self.poles, step.unsqueeze(-1) * weights, length)
        return torch.fft.irfft(spectrum, n=length)

    def discrete(self) -> tuple[Tensor, Tensor]:
        r"""Returns the matrices of the recurrence :math:`x_l = \bar A x_{l-1} + \bar B u_l` for the whole state.

        Shapes:
            - **output:** :math:`(H, N, N)` and :math:`(H, N)`
        """
        poles, p, b = (_pairs(t) for t in (self.poles, *map(torch.view_as_complex, (self.p, self.b))))
        half = (
            self.step.unsqueeze(-1) / 2 * (torch.diag_embed(poles) - p.unsqueeze(-1) * p.conj().unsqueeze(-2))
        )
        one = torch.eye(self.state, dtype=half.dtype, device=half.device)
        both = torch.cat([one + half, (self.step * b).unsqueeze(-1)], dim=-1)
        solved = torch.linalg.solve(one - half, both)
        return solved[..., :-1], solved[..., -1]

    def output_matrix(self, length: int) -> Tensor:
        r"""Returns :math:`C = \tilde C (I - \bar A^L)^{-1}` of the recurrence's output :math:`y = C x + D u`.

        Shapes:
            - **output:** :math:`(H, N)`
        """
        matrix, _ = self.discrete()
        one = torch.eye(self.state, dtype=matrix.dtype, device=matrix.device)
        rest = one - torch.linalg.matrix_power(matrix, length)
        return torch.linalg.solve(rest.mT, _pairs(torch.view_as_complex(self.c)))


def _pairs(half: Tensor) -> Tensor:
    return torch.cat([half, half.conj()], dim=-1)
