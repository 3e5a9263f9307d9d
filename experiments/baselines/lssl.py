"""LSSL: a system with a dense state matrix per channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccnn_geo.experiments.baselines.hippo import hippo_legs
from ccnn_geo.experiments.baselines.state_space import StateSpaceLayer


class LSSL(StateSpaceLayer):
    r"""State-space layer with a dense, trained state matrix, HiPPO-LegS at the start, discretised bilinearly.

    .. math::
        K = (\bar C \bar B, \bar C \bar A \bar B, \dots, \bar C \bar A^{L-1} \bar B), \quad
        \bar A = (I - \tfrac{\Delta}{2} A)^{-1} (I + \tfrac{\Delta}{2} A), \quad
        \bar B = (I - \tfrac{\Delta}{2} A)^{-1} \Delta B

    Trained are :math:`\log \Delta`, A, B, C and D, for one output per channel; training does not keep A in the
    structured family of HiPPO matrices.

    Args:
        channels: Number of channels :math:`H`, each with its own system.
        state: State size :math:`N`.

    Shapes:
        - **input, output:** :math:`(B, H, L)`

    Raises:
        ValueError: If the input is not of this shape.

    Source: Gu et al., 2021 (Combining Recurrent, Convolutional, and Continuous-time Models with Linear State-Space
    Layers), Sec. 3.1; modelled on the reference implementation's ``krylov``.
    """

    def __init__(self, channels: int, state: int = 64) -> None:
        super().__init__(channels, state)
        a, b = hippo_legs(state)
        self.a = nn.Parameter(a.float().repeat(channels, 1, 1))
        self.b = nn.Parameter(b.float().repeat(channels, 1))
        self.c = nn.Parameter(torch.randn(channels, state))

    def kernel(self, length: int) -> Tensor:
        return krylov(*self.discrete(), self.c, length)

    def discrete(self) -> tuple[Tensor, Tensor]:
        r"""Returns the matrices :math:`\bar A` and :math:`\bar B`.

        Shapes:
            - **output:** :math:`(H, N, N)` and :math:`(H, N)`
        """
        one = torch.eye(self.state, dtype=self.a.dtype, device=self.a.device)
        inverse = torch.linalg.inv(one - self.step.unsqueeze(-1) / 2 * self.a)
        return 2 * inverse - one, (inverse @ (self.step * self.b).unsqueeze(-1)).squeeze(-1)


def krylov(a: Tensor, b: Tensor, c: Tensor, length: int) -> Tensor:
    r"""Computes the products :math:`K_l = c A^l b`.

    .. math::
        K_{i S + j} = (c A^{i S}) (A^j b), \quad
        (b, \dots, A^{2m - 1} b) = ((b, \dots, A^{m - 1} b), \; A^m (b, \dots, A^{m - 1} b))

    With :math:`S \approx \sqrt L` a power of two; both factors double with each squaring of A.

    Args:
        a: The matrix.
        b: The first vector.
        c: The vector to multiply with.
        length: Length :math:`L`.

    Shapes:
        - **a:** :math:`(H, N, N)`; **b, c:** :math:`(H, N)`; **output:** :math:`(H, L)`
    """
    columns, rows = b.unsqueeze(-1), c.unsqueeze(-2)
    while columns.size(-1) ** 2 < length:
        columns = torch.cat([columns, a @ columns], dim=-1)
        a = a @ a
    count = -(-length // columns.size(-1))
    while rows.size(-2) < count:
        rows = torch.cat([rows, rows @ a], dim=-2)
        if rows.size(-2) < count:
            a = a @ a
    return torch.bmm(rows[:, :count], columns).flatten(1)[:, :length]
