"""The window: value, support, and a width that stays positive."""

import math

import pytest
import torch

from ccnn_geo.window import GaussianWindow


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_value_and_support(dim):
    window = GaussianWindow(dim, width_init=0.3, threshold=0.1).double()
    rel = torch.randn(200, dim, dtype=torch.float64)
    half = 0.3 * math.sqrt(-2 * math.log(0.1))
    expected = torch.exp(-(rel**2).sum(1) / (2 * 0.3**2)) * (rel.abs() <= half).all(1)
    torch.testing.assert_close(window(rel), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        window.half_width(), torch.full((dim,), half, dtype=torch.float64), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize(("dim", "count"), [(1, 1), (2, 2), (3, 1)])
def test_widths_per_axis_follow_the_published_counts(dim, count):
    assert GaussianWindow(dim).rho.numel() == count
    assert GaussianWindow(dim, isotropic=False).rho.numel() == dim
    assert GaussianWindow(dim, isotropic=True).rho.numel() == 1


@pytest.mark.parametrize("width", [0.001, 0.075, 1.0, 30.0])
def test_initial_width_is_what_was_asked(width):
    torch.testing.assert_close(GaussianWindow(1, width).width, torch.tensor([width]), rtol=1e-4, atol=0)


@pytest.mark.parametrize("rho", [-1e30, -200.0, 0.0, 200.0, 1e30])
def test_no_parameter_value_breaks_the_width(rho):
    window = GaussianWindow(2)
    torch.nn.init.constant_(window.rho, rho)
    rel = torch.randn(50, 2, requires_grad=True)
    value = window(rel)
    value.sum().backward()
    for t in (window.width, value, window.rho.grad, rel.grad):
        assert torch.isfinite(t).all()
    assert (window.width > 0).all()


def test_training_that_shrinks_the_window_cannot_turn_it_negative():
    window = GaussianWindow(1, 0.3)
    optimizer = torch.optim.SGD(window.parameters(), lr=100.0)
    rel = torch.linspace(-1, 1, 101).unsqueeze(-1)
    for _ in range(50):
        optimizer.zero_grad()
        window(rel).sum().backward()
        optimizer.step()
        assert window.width.item() > 0
        assert window(rel).isfinite().all()
    assert window.width.item() < 0.05


def test_threshold_zero_has_no_end():
    window = GaussianWindow(1, 0.1, threshold=0.0)
    assert window.half_width().item() == math.inf
    assert window(torch.tensor([[1.0]])).item() > 0


@pytest.mark.parametrize(
    ("kwargs", "message"), [({"width_init": 0}, "got 0"), ({"threshold": 1.0}, "got 1.0")]
)
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        GaussianWindow(2, **kwargs)
