"""HiPPO-LegS: its formula, its Legendre property, and its normal plus low-rank form."""

import math

import numpy as np
import pytest
import torch
from numpy.polynomial import legendre
from scipy.linalg import expm

from ccnn_geo.experiments.baselines.hippo import hippo_legs, nplr_legs


def scaled_legendre(state, x):
    """Polynomials orthonormal on [0, 1], ``[*, N]``."""
    return np.stack(
        [math.sqrt(2 * n + 1) * legendre.legval(2 * x - 1, [0] * n + [1]) for n in range(state)], axis=-1
    )


def test_entries_are_those_of_the_formula():
    a, b = hippo_legs(5)
    for n in range(5):
        assert b[n] == math.sqrt(2 * n + 1)
        for k in range(5):
            below = -math.sqrt(2 * n + 1) * math.sqrt(2 * k + 1)
            expected = below if n > k else -(n + 1) if n == k else 0
            assert a[n, k].item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("power", [0, 1, 2, 5, 9])
def test_state_holds_the_legendre_coefficients_of_a_polynomial(power):
    """With u = t^m, the state t^m c of the scaled system t x' = A x + B u: (m - A) c = B."""
    state = 12
    a, b = (t.numpy() for t in hippo_legs(state))
    nodes, weights = legendre.leggauss(20)
    history = (nodes + 1) / 2
    coefficients = (weights / 2 * history**power) @ scaled_legendre(state, history)
    np.testing.assert_allclose(power * coefficients - a @ coefficients, b, atol=1e-11)
    recovered = scaled_legendre(state, np.linspace(0, 1, 7)) @ np.linalg.solve(power * np.eye(state) - a, b)
    np.testing.assert_allclose(recovered, np.linspace(0, 1, 7) ** power, atol=1e-9)


def test_impulse_responses_are_legendre_polynomials_of_a_decaying_time():
    a, b = (t.numpy() for t in hippo_legs(8))
    for time in (0.0, 0.1, 0.7, 2.0):
        decayed = math.exp(-time)
        np.testing.assert_allclose(
            expm(time * a) @ b, decayed * scaled_legendre(8, np.array(decayed)), atol=1e-11
        )


@pytest.mark.parametrize("state", [2, 8, 64])
def test_normal_plus_low_rank_form_is_the_matrix(state):
    a, b = hippo_legs(state)
    poles, p, vector, basis = nplr_legs(state)
    assert (poles.imag > 0).all() and (poles.real == -0.5).all()
    poles, p, vector, basis = (torch.cat([t, t.conj()], dim=-1) for t in (poles, p, vector, basis))
    torch.testing.assert_close(basis.mH @ basis, torch.eye(state, dtype=basis.dtype), atol=1e-12, rtol=0)
    whole = basis @ (torch.diag(poles) - torch.outer(p, p.conj())) @ basis.mH
    torch.testing.assert_close(whole, a.to(whole), atol=1e-10, rtol=1e-12)
    torch.testing.assert_close(basis @ vector, b.to(whole), atol=1e-11, rtol=0)


def test_odd_state_is_refused():
    with pytest.raises(ValueError, match="even state size, got 7"):
        nplr_legs(7)
