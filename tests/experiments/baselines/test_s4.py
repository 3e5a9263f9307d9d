"""S4 against the recurrence with dense matrices."""

import math

import pytest
import torch

from ccnn_geo import testing
from ccnn_geo.experiments.baselines.cauchy import dplr_spectrum
from ccnn_geo.experiments.baselines.hippo import nplr_legs
from ccnn_geo.experiments.baselines.s4 import S4
from tests.experiments.baselines.recurrence import (
    LENGTHS,
    check_causal,
    check_layer,
    check_single_precision,
    diagonal,
    discretised,
    pairs,
    run,
)


def moved(state=8, channels=3):
    """Away from the start, where channels differ in their steps alone and poles in their frequencies."""
    layer = S4(channels, state)
    with torch.no_grad():
        for t in layer.parameters():
            t += 0.3 * torch.randn_like(t)
    return layer


def system(layer):
    p, b = pairs(layer.p), pairs(layer.b)
    a = diagonal(layer) - p.unsqueeze(-1) * p.conj().unsqueeze(-2)
    return discretised(a, b, layer.log_step, "bilinear")


def by_recurrence(layer, x):
    a, b = system(layer)
    rest = torch.eye(a.size(-1), dtype=a.dtype) - torch.linalg.matrix_power(a, x.size(-1))
    c = (pairs(layer.c).unsqueeze(-2) @ torch.linalg.inv(rest)).squeeze(-2)
    return run(a, b, c, layer.skip, x)


@pytest.mark.parametrize("length", LENGTHS)
def test_layer_is_the_recurrence(length):
    check_layer(moved(), length, by_recurrence)


@pytest.mark.parametrize("length", [40, 101])
def test_layer_of_the_published_size_is_the_recurrence(length):
    check_layer(S4(2), length, by_recurrence)


def test_own_matrices_are_those_of_the_definition():
    layer = moved().double()
    (a, b), expected = layer.discrete(), system(layer)
    testing.assert_close(torch.view_as_real(a), torch.view_as_real(expected[0]))
    testing.assert_close(torch.view_as_real(b), torch.view_as_real(expected[1][..., 0]))
    x = torch.randn(2, 3, 9, dtype=torch.float64)
    by_own = run(a, b.unsqueeze(-1), layer.output_matrix(9), layer.skip, x)
    testing.assert_close(by_own, layer(x))


def test_starts_from_hippo():
    layer, start = S4(3, 16), nplr_legs(16)
    torch.testing.assert_close(layer.poles[1], start.poles.to(torch.complex64))
    torch.testing.assert_close(torch.view_as_complex(layer.b)[2], start.b.to(torch.complex64))
    step = layer.step.flatten()
    assert ((step >= 1e-3) & (step <= 1e-1)).all() and step.unique().numel() == 3


def test_single_precision():
    check_single_precision(S4(4), 1e-4)


@pytest.mark.parametrize("step", [1e-7, 10.0])
def test_single_precision_with_steps_far_from_the_start(step):
    layer = S4(4)
    torch.nn.init.constant_(layer.log_step, math.log(step))
    check_single_precision(layer, 1e-3)


@pytest.mark.parametrize("length", [5, 8])
def test_chunks_change_nothing(length):
    poles = torch.complex(-torch.rand(5, 4).double(), torch.randn(5, 4).double())
    weights = torch.randn(5, 4, 4, 2, dtype=torch.float64)

    def spectrum(chunk_floats):
        def call(real, imag, weights):
            poles, v = torch.complex(real, imag), torch.view_as_complex(weights)
            return torch.view_as_real(dplr_spectrum(poles, v, length, chunk_floats))

        return call

    inputs = (poles.real, poles.imag, weights)
    for floats in (1, 2 * 4 * (length // 2 + 1), 4 * 4 * (length // 2 + 1)):
        testing.assert_same_function(spectrum(floats), spectrum(1 << 20), inputs, tol=1e-13)


def test_causal():
    check_causal(moved())


def test_gradients_with_frozen_parts():
    layer = moved().double()
    layer.requires_grad_(False).c.requires_grad_()
    layer(torch.randn(1, 3, 6, dtype=torch.float64)).sum().backward()
    assert layer.c.grad.abs().max() > 0


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 7), (2, 3, 0), (2, 3, 7, 7)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"S4: expected x \[B, 3, L\] with L > 0, got \[2, "):
        S4(3, 4)(torch.randn(shape))


def test_odd_state_is_refused():
    with pytest.raises(ValueError, match="even state size, got 5"):
        S4(3, 5)
