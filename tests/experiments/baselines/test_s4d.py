"""S4D against the recurrence with dense matrices."""

import math

import pytest
import torch

from ccnn_geo import testing
from ccnn_geo.experiments.baselines.hippo import nplr_legs
from ccnn_geo.experiments.baselines.s4d import DISCRETISATIONS, INITIALISATIONS, S4D
from ccnn_geo.experiments.baselines.vandermonde import power_sums
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


def by_recurrence(layer, x):
    a, c = diagonal(layer), pairs(layer.c)
    return run(*discretised(a, torch.ones_like(c), layer.log_step, layer.discretisation), c, layer.skip, x)


@pytest.mark.parametrize("discretisation", DISCRETISATIONS)
@pytest.mark.parametrize("length", LENGTHS)
def test_layer_is_the_recurrence(length, discretisation):
    layer = S4D(3, 8, discretisation=discretisation)
    with torch.no_grad():
        for t in layer.parameters():
            t += 0.3 * torch.randn_like(t)
    check_layer(layer, length, by_recurrence)


@pytest.mark.parametrize("init", INITIALISATIONS)
@pytest.mark.parametrize("discretisation", DISCRETISATIONS)
def test_layer_of_the_published_size_is_the_recurrence(init, discretisation):
    check_layer(S4D(2, init=init, discretisation=discretisation), 50, by_recurrence)


def test_initialisations():
    lin, legs = S4D(2, 8).poles, S4D(2, 8, init="legs").poles
    expected = torch.complex(torch.full((4,), -0.5), math.pi * torch.arange(4.0))
    torch.testing.assert_close(lin[1], expected)
    torch.testing.assert_close(legs[0], nplr_legs(8).poles.to(torch.complex64))


@pytest.mark.parametrize("init", INITIALISATIONS)
@pytest.mark.parametrize("discretisation", DISCRETISATIONS)
def test_single_precision(init, discretisation):
    check_single_precision(S4D(4, init=init, discretisation=discretisation), 1e-4)


@pytest.mark.parametrize("length", [1, 2, 3, 10, 16, 17])
def test_power_sums_are_products_with_the_matrix_whatever_the_chunk(length):
    weights = torch.randn(5, 3, 2, dtype=torch.float64)
    real, imag = -torch.rand(5, 3).double(), 20 * torch.randn(5, 3).double()

    def definition(weights, real, imag):
        powers = (torch.complex(real, imag).unsqueeze(-1) * torch.arange(length)).exp()
        return 2 * (torch.view_as_complex(weights).unsqueeze(-1) * powers).sum(1).real

    for floats in (1, 200, 1 << 20):
        testing.assert_same_function(
            lambda w, re, im, floats=floats: power_sums(
                torch.view_as_complex(w), torch.complex(re, im), length, torch.float64, floats
            ),
            definition,
            (weights, real, imag),
        )


def test_causal():
    check_causal(S4D(3, 8))


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 7), (2, 3, 0)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"S4D: expected x \[B, 3, L\] with L > 0, got \[2, "):
        S4D(3, 4)(torch.randn(shape))


def test_wrong_options_are_refused():
    for options, said in (
        ({"init": "inv"}, "'inv'"),
        ({"discretisation": "euler"}, "'euler'"),
        ({"state": 3}, "got 3"),
    ):
        with pytest.raises(ValueError, match=said):
            S4D(3, **options)
