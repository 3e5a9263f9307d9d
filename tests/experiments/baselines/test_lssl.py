"""LSSL against the recurrence with dense matrices."""

import pytest
import torch

from ccnn_geo import testing
from ccnn_geo.experiments.baselines.hippo import hippo_legs
from ccnn_geo.experiments.baselines.lssl import LSSL, krylov
from tests.experiments.baselines.recurrence import (
    LENGTHS,
    check_causal,
    check_layer,
    check_single_precision,
    discretised,
    run,
)


def by_recurrence(layer, x):
    return run(*discretised(layer.a, layer.b, layer.log_step, "bilinear"), layer.c, layer.skip, x)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("state", [1, 6])
def test_layer_is_the_recurrence(length, state):
    layer = LSSL(3, state)
    with torch.no_grad():
        for t in layer.parameters():
            t += 0.3 * torch.randn_like(t)
    check_layer(layer, length, by_recurrence)


def test_layer_of_the_published_size_is_the_recurrence():
    check_layer(LSSL(2), 128, by_recurrence)


def test_starts_from_hippo():
    layer = LSSL(3, 5)
    for parameter, expected in zip((layer.a, layer.b), hippo_legs(5), strict=True):
        torch.testing.assert_close(parameter[2], expected.float())


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 9, 63, 64, 65])
def test_doubling_is_one_product_after_another(length):
    a, b, c = torch.randn(2, 4, 4).double() / 4, torch.randn(2, 4).double(), torch.randn(2, 4).double()
    expected = [
        (c.unsqueeze(1) @ torch.linalg.matrix_power(a, l) @ b.unsqueeze(2)).flatten() for l in range(length)
    ]
    testing.assert_close(krylov(a, b, c, length), torch.stack(expected, dim=-1))


def test_single_precision():
    check_single_precision(LSSL(4), 1e-3)


def test_causal():
    check_causal(LSSL(3, 8))


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 7), (2, 3, 0)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"LSSL: expected x \[B, 3, L\] with L > 0, got \[2, "):
        LSSL(3, 4)(torch.randn(shape))
