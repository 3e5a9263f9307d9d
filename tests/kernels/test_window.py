"""The window: value, support, and a width that stays positive."""

import math

import pytest
import torch

from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.kernels.window import GaussianWindow, TaperedWindow


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


@pytest.mark.parametrize("threshold", [1e-4, 0.1])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_taper_has_the_support_of_the_hard_window_and_no_jump(dim, threshold):
    hard = GaussianWindow(dim, 0.3, threshold).double()
    window = TaperedWindow(dim, 0.3, threshold).double()
    torch.testing.assert_close(window.half_width(), hard.half_width(), rtol=0, atol=0)
    rel = torch.randn(500, dim, dtype=torch.float64) * 2.5 * hard.half_width() / 3
    inside = (rel.abs() <= hard.half_width()).all(dim=1)
    taper = (1 - (rel / hard.half_width()) ** 2).prod(dim=1) ** 2
    torch.testing.assert_close(window(rel), hard(rel) * taper)
    assert 0 < inside.sum() < 500
    assert torch.equal(window(rel) > 0, inside)
    assert torch.equal(window.profile(rel), window(rel))  # zero outside of itself
    edge = torch.zeros(1, dim, dtype=torch.float64)
    edge[0, 0] = window.half_width()[0].item() * (1 - 1e-6)
    edge.requires_grad_()
    (slope,) = torch.autograd.grad(window(edge).sum(), edge)
    assert window(edge).item() < 1e-11
    assert slope.abs().max() < 1e-4


@pytest.mark.parametrize("cls", [GaussianWindow, TaperedWindow])
def test_gradients_of_width_and_position_match_finite_differences(cls):
    window = cls(2, 0.3, 0.1).double()
    rel = ((torch.rand(9, 2, dtype=torch.float64) - 0.5) * 0.9).requires_grad_()
    assert torch.autograd.gradcheck(lambda rel, *_: window.profile(rel), (rel, window.rho))


def test_taper_needs_an_end():
    with pytest.raises(ValueError, match=r"TaperedWindow: expected threshold in \(0, 1\), got 0"):
        TaperedWindow(2, threshold=0.0)
    with pytest.raises(ValueError, match=r"TaperedWindow: .* got 1.5"):
        TaperedWindow(2, threshold=1.5)


def test_a_kernel_takes_its_window_by_name():
    kernel = ContinuousKernel(2, 3, kernel_hidden=4, window="tapered", window_init=0.3)
    plain = ContinuousKernel(2, 3, kernel_hidden=4, window_init=0.3)
    plain.load_state_dict(kernel.state_dict())
    rel = torch.rand(50, 2) - 0.5
    expected = plain(rel) * (1 - (rel / plain.support()) ** 2).prod(1, keepdim=True) ** 2
    torch.testing.assert_close(kernel(rel), expected)
    torch.testing.assert_close(kernel.support(), plain.support())
    with pytest.raises(ValueError, match=r"gaussian, tapered or None, got 'hann'"):
        ContinuousKernel(2, 3, window="hann")


def test_offsets_and_domains_must_fit():
    with pytest.raises(ValueError, match=r"expected offsets \[\.\.\., 2\], got \[5, 3\]"):
        ContinuousKernel(2, 3)(torch.rand(5, 3))
    for domain in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="kernel_domain > 0 or None, got"):
            ContinuousKernel(2, 3, kernel_domain=domain)


def test_a_window_says_what_it_is():
    assert (
        repr(GaussianWindow(2, width_init=0.3))
        == "GaussianWindow(width_init=0.3, threshold=0.1, isotropic=False)"
    )
