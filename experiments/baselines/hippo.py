"""The HiPPO-LegS matrices, and the normal plus low-rank form from which S4 starts."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


def hippo_legs(state: int) -> tuple[Tensor, Tensor]:
    r"""Matrices of the system that keeps scaled Legendre coefficients of the input's history as its state.

    .. math::
        A_{nk} = -\begin{cases} \sqrt{(2n+1)(2k+1)} & n > k \\ n + 1 & n = k \\ 0 & n < k \end{cases}, \quad
        B_n = \sqrt{2n + 1}

    Args:
        state: State size :math:`N`.

    Shapes:
        - **A:** :math:`(N, N)`; **B:** :math:`(N)`, float64

    Source: Gu et al., 2020 (HiPPO), Theorem 2; signs as in Gu et al., 2022 (S4), Eq. 2.
    """
    index = torch.arange(state, dtype=torch.float64)
    b = (2 * index + 1).sqrt()
    return -torch.outer(b, b).tril(-1) - torch.diag(index + 1), b


class NormalPlusLowRank(NamedTuple):
    r"""One half of the conjugate pairs of :math:`A = V (\\Lambda - p p^*) V^*` and :math:`B = V b`, complex128."""

    poles: Tensor
    p: Tensor
    b: Tensor
    basis: Tensor


def nplr_legs(state: int) -> NormalPlusLowRank:
    r"""HiPPO-LegS as a diagonal matrix minus one of rank 1, in the unitary basis of eigenvectors of its normal part.

    .. math::
        A + P P^T = -\tfrac{1}{2} I + S, \quad S = -S^T, \quad P_n = \sqrt{n + \tfrac{1}{2}}, \quad p = V^* P

    Eigenvalues and eigenvectors come in conjugate pairs; the result has those with positive imaginary part.

    Args:
        state: State size :math:`N`, even.

    Shapes:
        - **poles, p, b:** :math:`(N / 2)`; **basis:** :math:`(N, N / 2)`

    Raises:
        ValueError: If the state size is odd.

    Source: Gu et al., 2022 (S4), Theorem 1 and Appendix C.1.
    """
    if state < 2 or state % 2:
        raise ValueError(f"nplr_legs: expected an even state size, got {state}")
    a, b = hippo_legs(state)
    p = (torch.arange(state, dtype=torch.float64) + 0.5).sqrt()
    normal = a + torch.outer(p, p)
    skew = (normal - normal.T) / 2
    frequencies, basis = torch.linalg.eigh(-1j * skew)  # Hermitian, so the basis is unitary
    frequencies, basis = frequencies[state // 2 :], basis[:, state // 2 :]
    poles = torch.complex(torch.full_like(frequencies, -0.5), frequencies)
    return NormalPlusLowRank(poles, basis.mH @ p.to(basis), basis.mH @ b.to(basis), basis)
