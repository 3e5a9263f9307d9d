"""All kernel families share one interface; each states its initialisation and its highest frequency."""

import copy
import math

import numpy as np
import pytest
import torch

from ccnn_geo.kernels import KERNELS, SIREN, FourierNet, GaborNet, MAGNet, RandomFourierNet

FAMILIES = sorted(KERNELS)


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@pytest.mark.parametrize("name", FAMILIES)
def test_interface(name, dim, device):
    kernel = KERNELS[name](dim, 5, hidden_channels=8, num_layers=2, omega_0=2.0).to(device)
    rel = torch.randn(3, 7, dim, device=device)
    assert kernel(rel).shape == (3, 7, 5)
    basis = kernel.basis(rel)
    assert basis.shape == (3, 7, kernel.basis_channels)
    assert torch.equal(kernel.output(basis), kernel(rel))
    assert kernel.max_frequency().shape == (dim,)
    assert (kernel.max_frequency() > 0).all()
    assert f"dim={dim}" in repr(kernel)
    again = copy.deepcopy(kernel)
    again.reset_parameters()
    assert not torch.equal(again(rel), kernel(rel))
    again.load_state_dict(kernel.state_dict())
    assert torch.equal(again(rel), kernel(rel))


@pytest.mark.parametrize("name", FAMILIES)
def test_wrong_arguments_are_named(name):
    with pytest.raises(ValueError, match=r"out_channels > 0, got 0"):
        KERNELS[name](2, 0, hidden_channels=8)
    with pytest.raises(ValueError, match=r"\[..., 2\], got \[4, 3\]"):
        KERNELS[name](2, 5, hidden_channels=8)(torch.randn(4, 3))


def test_random_fourier_needs_even_width():
    with pytest.raises(ValueError, match="even hidden_channels, got 7"):
        RandomFourierNet(1, 1, hidden_channels=7)


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("hidden", [8, 32])
def test_magnet_parameter_count(dim, hidden):
    """Kernel(d, h, C) = 4h(3d + 1) + 3(h^2 + h) + (h + 1)C."""
    count = sum(p.numel() for p in MAGNet(dim, 140, hidden).parameters())
    assert count == 4 * hidden * (3 * dim + 1) + 3 * (hidden**2 + hidden) + (hidden + 1) * 140


@pytest.mark.parametrize("family", [MAGNet, GaborNet])
@pytest.mark.parametrize("dim", [1, 3])
def test_gabor_families_match_numpy(family, dim):
    kernel = family(dim, 3, hidden_channels=6, num_layers=2, omega_0=3.0, mean_scale=0.5).double()
    rel = torch.randn(11, dim, dtype=torch.float64)
    p = {k: v.detach().numpy() for k, v in kernel.named_parameters()}
    r = rel.numpy()[:, None, :]

    def g(l):
        square = ((p[f"filters.{l}.gamma"] * (r - p[f"filters.{l}.mu"])) ** 2).sum(-1)
        phase = (r * p[f"filters.{l}.omega"]).sum(-1) + p[f"filters.{l}.phi"]
        return np.exp(-0.5 * square) * np.sin(phase)

    h = g(0)
    for l in (1, 2):
        h = g(l) * (h @ p[f"hidden.{l - 1}.weight"].T + p[f"hidden.{l - 1}.bias"])
    expected = h @ p["output.weight"].T + p["output.bias"]
    np.testing.assert_allclose(kernel(rel).detach().numpy(), expected, rtol=1e-11)


def test_magnet_initialisation():
    kernel = MAGNet(2, 4, hidden_channels=2000, omega_0=7.0, mean_scale=0.3)
    for l, layer in enumerate(kernel.filters):
        assert layer.gamma.mean().item() == pytest.approx(6 / (l + 1), rel=0.1)
        assert layer.gamma.var().item() == pytest.approx(6 / (l + 1), rel=0.2)
        ratio = layer.omega / layer.gamma / (2 * math.pi * 7.0)
        assert ratio.abs().max().item() == pytest.approx(1 / math.sqrt(2), rel=0.01)
        assert ratio.var().item() == pytest.approx(1 / 6, rel=0.1)
        assert layer.phi.abs().max() == 0
        assert layer.mu.min().item() == pytest.approx(-0.3, rel=0.02)
    assert all((linear.bias == 1).all() for linear in kernel.hidden)
    causal = MAGNet(1, 4, hidden_channels=500, mean_scale=0.3, causal=True)
    assert 0 <= causal.filters[0].mu.min() < 0.01
    assert causal.filters[0].mu.max().item() == pytest.approx(0.3, rel=0.02)


def test_gabor_gradients_to_second_order():
    kernel = MAGNet(2, 2, hidden_channels=3, num_layers=1, omega_0=1.0, mean_scale=0.5).double()
    rel = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)

    def run(rel, *params):
        names = [n for n, _ in kernel.named_parameters()]
        return torch.func.functional_call(kernel, dict(zip(names, params, strict=True)), (rel,))

    inputs = (rel, *kernel.parameters())
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


def spectrum_above(kernel, limit, extent=8.0, n=1 << 15):
    """Share of the power of a 1-D kernel above an angular frequency, from its own samples."""
    r = torch.linspace(-extent, extent, n, dtype=torch.float64).unsqueeze(-1)
    values = kernel.double()(r).detach()[:, 0].numpy() * np.hanning(n)
    power = np.abs(np.fft.rfft(values)) ** 2
    omega = 2 * np.pi * np.fft.rfftfreq(n, d=2 * extent / (n - 1))
    return power[omega > limit].sum() / power.sum()


@pytest.mark.parametrize(
    ("kernel", "share"),
    [
        (lambda: FourierNet(1, 1, 8, 2, omega_0=2.0), 1e-5),
        (lambda: RandomFourierNet(1, 1, 8, 1, omega_0=2.0), 1e-5),
        (lambda: MAGNet(1, 1, 8, 2, omega_0=1.0), 0.01),
        (lambda: GaborNet(1, 1, 8, 2, omega_0=1.0), 0.01),
        (lambda: SIREN(1, 1, 8, 2, omega_0=5.0), 0.02),
    ],
    ids=["fourier", "random_fourier", "magnet", "gabor", "siren"],
)
def test_stated_frequency_bounds_the_spectrum(kernel, share):
    for seed in range(5):
        torch.manual_seed(seed)
        network = kernel()
        limit = network.max_frequency().item() + 2.0  # the Hann taper spreads a line a little
        assert spectrum_above(network, limit) < share
        assert spectrum_above(network, 0.05 * limit) > share  # the bound is not empty


def test_families_without_a_limit_say_so():
    assert KERNELS["mlp"](2, 1, 8).max_frequency().tolist() == [math.inf, math.inf]
    assert RandomFourierNet(1, 1, 8, 3).max_frequency().item() == math.inf


@pytest.mark.parametrize("name", FAMILIES)
def test_precision_survives_autocast(name, device):
    from ccnn_geo.kernels.continuous import ContinuousKernel

    kernel = ContinuousKernel(3, 4, kernel_hidden=16, omega_0=50.0, kernel=name, window_init=0.5).to(device)
    rel = torch.rand(200, 3, device=device) - 0.5
    exact = copy.deepcopy(kernel).double()(rel.double())
    with torch.autocast(device.type, dtype=torch.bfloat16):
        value = kernel(rel)
    assert value.dtype == torch.float32
    assert ((value - exact).norm() / exact.norm()).item() < 1e-4
