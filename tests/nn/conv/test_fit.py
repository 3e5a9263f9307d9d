"""Kernels whose settings name no frequency and no window fit the first batch: reach, rate, and no unit of length."""

import copy
import math
import warnings

import pytest
import torch

from ccnn_geo import CCNN, SepFlexConv, testing
from ccnn_geo.functional.representations import grid_positions, to_points
from ccnn_geo.kernels import KERNELS, KernelConfig
from ccnn_geo.nn.conv import fit
from ccnn_geo.nn.conv.fit import grid_reach

SMALL = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 6}


def sphere(points=400, clouds=2):
    pos = torch.nn.functional.normalize(torch.randn(points * clouds, 3, dtype=torch.double), dim=1)
    return torch.randn(points * clouds, 3), pos, torch.arange(clouds).repeat_interleave(points)


def drawn(seed, make):
    torch.manual_seed(seed)
    return make()


@pytest.mark.parametrize("scale", [1e-4, 37.0, 1e5])
@pytest.mark.parametrize("name", sorted(KERNELS))
def test_the_unit_of_positions_does_not_count(name, scale):
    x, pos, batch = sphere(60)
    one, other = (
        drawn(1, lambda: SepFlexConv(3, 4, 3, kernel=name, kernel_hidden=6).double()) for _ in range(2)
    )
    y, z = one(x, pos, batch=batch), other(x, pos * scale, batch=batch)
    testing.assert_close(z, y, 1e-6)
    image = torch.randn(1, 3, 9, 11)
    one, other = (
        drawn(1, lambda: SepFlexConv(3, 4, 2, kernel=name, kernel_hidden=6).double()) for _ in range(2)
    )
    testing.assert_close(other(image, spacing=(scale, 3 * scale)), one(image, spacing=(1.0, 3.0)), 1e-6)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_window_weighs_as_much_as_some_32_neighbours(dim):
    """Of points that fill their space, and of a surface."""
    clouds = [torch.rand(4000, dim), *([sphere(800, 1)[1].float()] if dim == 3 else [])]
    for pos in clouds:
        conv = SepFlexConv(3, 4, dim)
        conv(torch.randn(len(pos), 3), pos)
        some = (pos - pos.mean(dim=0)).norm(dim=1).argsort()[:50]
        weight = conv.kernel.window((pos[some].unsqueeze(1) - pos) / conv.kernel.radius).sum(dim=1)
        assert 24 <= weight.median() - 1 <= 40


def test_no_filter_is_above_the_rate_of_the_points():
    """On a lattice, whose spacing is known: pi / h, counted from the parameters."""
    h = 0.07
    pos = grid_positions((12, 12), h)
    conv = SepFlexConv(3, 4, 2, kernel_hidden=32)
    conv(torch.randn(144, 3), pos)
    radius, fastest = conv.kernel.fitted_radius, 0.0
    for layer in conv.kernel.network.filters:
        fastest += ((layer.omega.abs() + 2 * layer.gamma.abs()) / radius).amax(dim=0)
    assert (fastest < 1.1 * math.pi / h).all() and (fastest > 0.2 * math.pi / h).all()


@pytest.mark.parametrize(
    ("size", "causal", "cells"),
    [
        ((784,), False, 63.2),
        ((16000,), True, 1287),
        ((40,), False, 16),
        ((40,), True, 32),
        ((32, 32), False, 6.25),
    ],
)
def test_grids_are_covered_by_length_and_dimension(size, causal, cells):
    assert grid_reach(size, causal) == pytest.approx(cells, rel=0.05)
    conv = SepFlexConv(1, 1, len(size), causal=causal, kernel_hidden=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        conv(torch.randn(1, 1, *size), spacing=0.5)
    taps, _ = conv.kernel_taps(size, 0.5)  # some of them beyond the window
    across = math.floor(cells) + (0 if causal else math.floor(cells)) + 1
    assert conv.kernel.inside(taps).sum() == across ** len(size)


def test_a_causal_kernel_says_what_it_took():
    model = CCNN(1, 2, 1, causal=True, **SMALL)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        model(torch.randn(2, 1, 200))
        model(torch.randn(2, 1, 200))
    assert len(said) == 1 and "start with the last 32 of 200 samples" in str(said[0].message)


def test_grid_and_points_are_one_operator():
    conv = SepFlexConv(3, 4, 2, kernel_hidden=6).double().eval()
    x = torch.randn(1, 3, 8, 9, dtype=torch.double)
    conv(x)
    testing.assert_grid_matches_points(conv, x)
    points = to_points(x)
    testing.assert_matches_definition(conv, points.x, points.pos)


def test_what_was_found_stays_and_travels():
    x, pos, batch = sphere(100)
    model = CCNN(3, 4, 3, num_neighbors=16, **SMALL)
    assert not any(conv.kernel.is_fit for conv in model.convs)
    fresh = copy.deepcopy(model).eval()
    model(x, pos.float(), batch)
    radius = model.stem.kernel.fitted_radius.clone()
    assert (radius > 0).all() and all(torch.equal(conv.kernel.radius, radius) for conv in model.convs)
    model(x, 9 * pos.float(), batch)  # later batches change nothing
    assert torch.equal(model.stem.kernel.fitted_radius, radius)
    fresh.load_state_dict(model.state_dict())
    assert all(conv.kernel.is_fit for conv in fresh.convs)
    testing.assert_close(fresh(x, pos.float(), batch), model.eval()(x, pos.float(), batch), 1e-6)
    model.reset_parameters()
    assert not any(conv.kernel.is_fit for conv in model.convs)


def test_weights_of_named_settings_are_the_same_function():
    """State dicts of before have no radius: their kernels are in the unit of the positions."""
    x, pos, _ = sphere(100, 1)
    named = SepFlexConv(3, 4, 3, kernel_hidden=6, omega_0=2.0, window_init=0.4).double()
    y = named(x, pos)
    fits = SepFlexConv(3, 4, 3, kernel_hidden=6).double()
    fits.load_state_dict(named.state_dict())
    assert fits.kernel.is_fit and fits.kernel.fitted_radius.tolist() == [1.0] * 3
    testing.assert_close(fits(x, pos), y, 1e-12)


def test_a_batch_that_says_nothing_is_waited_out():
    conv = SepFlexConv(3, 4, 3).eval()
    conv(torch.randn(2, 3), torch.zeros(2, 3))
    assert not conv.kernel.is_fit
    x, pos, batch = sphere(3, 2)  # three points a cloud are enough for a reach
    conv(x, pos.float(), batch=batch)
    assert conv.kernel.is_fit and (conv.kernel.fitted_radius > 0.1).all()


def test_one_named_setting_is_joined_by_the_papers():
    assert not KernelConfig(omega_0=2.0).fits_data and KernelConfig(omega_0=2.0).start_width == 0.075
    assert not KernelConfig(window_init=0.3).fits_data and KernelConfig(window_init=0.3).start_omega_0 == 50.0
    paper = CCNN.from_preset("ccnn_4_16_paper", 3, 6, 40).stem.kernel
    assert (paper.config.omega_0, paper.config.window_init, paper.radius) == (50.0, 0.075, 1.0)
    with pytest.raises(
        ValueError, match=r"expected omega_0 or window_init with init_spacing, got 0\.1 alone"
    ):
        CCNN(3, 4, 3, init_spacing=0.1)


def test_a_given_radius_is_kept():
    x, pos, batch = sphere(100)
    conv = SepFlexConv(3, 4, 3, kernel_radius=0.25)
    conv(x, pos.float(), batch=batch)
    assert conv.kernel.fitted_radius.tolist() == [0.25] * 3
    assert conv.kernel.window.half_width().tolist() == pytest.approx([1.0] * 3)


def test_an_evaluation_of_one_of_several_processes_sets_nothing(monkeypatch):
    """Not every process need take part in it; in training the lengths are the mean of all."""
    monkeypatch.setattr(fit, "is_distributed", lambda: True)
    monkeypatch.setattr(fit, "mean_over_processes", lambda value, device: 2 * value)
    x, pos, batch = sphere(50)
    conv, alone = SepFlexConv(3, 4, 3).eval(), SepFlexConv(3, 4, 3)
    conv(x, pos.float(), batch=batch)
    conv(torch.randn(1, 3, 4, 5, 6))
    assert not conv.kernel.is_fit
    conv.train()(x, pos.float(), batch=batch)
    monkeypatch.undo()
    alone(x, pos.float(), batch=batch)
    torch.testing.assert_close(conv.kernel.fitted_radius, 2 * alone.kernel.fitted_radius)


def test_fitted_layers_are_one_graph_after_their_first_batch():
    conv, x = SepFlexConv(3, 4, 2, kernel_hidden=4).eval(), torch.randn(1, 3, 8, 8)
    with pytest.raises(RuntimeError, match="the kernel fits no batch yet; run it once before"):
        torch.export.export(conv, (x,))
    y = conv(x)
    torch.testing.assert_close(torch.export.export(conv, (x,)).module()(x), y)
