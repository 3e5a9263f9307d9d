"""Grids as they should not be: refused by name, before the first batch sets anything."""

import math

import pytest
import torch

from ccnn_geo import CCNN, SepFlexConv

SIZES = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 5.0, "window_init": 0.3}


def network(dim: int = 2, **changes) -> CCNN:
    torch.manual_seed(0)
    return CCNN(3, 2, dim, **{**SIZES, **changes})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shape", [(4, 3, 20), (4, 3, 6, 7), (4, 3, 4, 3, 5)])
@pytest.mark.parametrize("training", [True, False])
def test_a_sample_that_is_not_finite_is_named_and_sets_nothing(shape, value, training):
    model, x = network(len(shape) - 2).train(training), torch.randn(shape)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    x[2].view(-1)[5] = value
    message = r"CCNN: expected x to be finite, got NaN or Inf in 1 of 4 samples \(first: number 2\)"
    with pytest.raises(ValueError, match=message):
        model(x)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model(torch.randn(shape)).isfinite().all()


def test_layers_and_compiled_networks_do_not_look():
    """As the rest of torch: they give what the sum gives."""
    x = torch.randn(2, 3, 6, 6)
    conv = SepFlexConv(3, 4, 2, window_init=0.3)
    conv(x)
    x[1] = math.nan
    assert conv(x)[1].isnan().any()


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(2, 4, 6, 6), ValueError, r"expected .*3.*got .*\[2, 4, 6, 6\]"),
        (torch.zeros(2, 3, 6), ValueError, r"got \[2, 3, 6\]"),
        (torch.zeros(2, 3, 6, 6, 6), ValueError, r"got \[2, 3, 6, 6, 6\]"),
        (torch.zeros(3), ValueError, r"got \[3\]"),
        (torch.zeros(2, 3, 0, 6), ValueError, "0"),
        (torch.zeros(2, 3, 6, 6, dtype=torch.complex64), TypeError, "real tensor"),
        ([[0.0]], TypeError, "real tensor, .* got list"),
    ],
)
def test_what_is_no_grid(x, error, message):
    with pytest.raises(error, match=message):
        network()(x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_of_a_grid(dtype):
    model, x = network().eval(), torch.randn(2, 3, 6, 6).to(dtype)
    model(x.float())
    try:
        found = model(x)
    except (ValueError, TypeError) as error:
        assert "float32" in str(error)
    else:
        assert torch.allclose(found.float(), model(x.float()), atol=1e-5)


def test_grids_that_are_not_contiguous():
    model, x = network().eval(), torch.randn(2, 6, 6, 3).movedim(-1, 1)
    assert not x.is_contiguous()
    assert torch.allclose(model(x), model(x.contiguous()), atol=1e-6)
