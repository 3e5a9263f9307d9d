"""The stated share of a kernel above its frequency bound, against spectra computed from its samples."""

import math

import pytest
import torch

from ccnn_geo.kernels import KERNELS, SIREN, FourierNet, GaborNet, MAGNet, MLPKernel, RandomFourierNet
from ccnn_geo.kernels.continuous import ContinuousKernel

FAMILIES = sorted(KERNELS)
TAILS = (0.3, 0.05, 0.01)
OMEGAS = {"mlp": 3.0, "random_fourier": 0.3}


def network_size(network, reach):
    """The value of a network whose filters are all at their largest and whose weights are all positive."""
    with torch.no_grad():
        ones = torch.ones(network.hidden_channels, dtype=torch.float64)
        h = reach if isinstance(network, MLPKernel) else ones
        if isinstance(network, MLPKernel | RandomFourierNet | MAGNet | FourierNet):
            for linear in network.hidden:
                h = linear.weight.abs() @ h + linear.bias.abs()
        return network.output.weight.abs() @ h + network.output.bias.abs()


def random_kernel(name, dim, seed, large=1.0, **kwargs):
    torch.manual_seed(seed)
    arguments = {"kernel_hidden": 6, "kernel_layers": 2, "omega_0": OMEGAS.get(name, 0.7), "window_init": 0.4}
    kernel = ContinuousKernel(dim, 3, kernel=name, **{**arguments, **kwargs}).double()
    with torch.no_grad():
        for p in kernel.network.parameters():
            p.mul_(1 + (large - 1) * torch.rand_like(p))
    return kernel


def spectrum(kernel, count, extent, dim):
    """Energies of a kernel per frequency along the first axis, from midpoint samples; energy of its window."""
    axis = (torch.arange(count, dtype=torch.float64) + 0.5) * (2 * extent / count) - extent
    rel = torch.stack(torch.meshgrid(*[axis] * dim, indexing="ij"), dim=-1)
    with torch.no_grad():
        values = kernel(rel)
        window = kernel.inside(rel) * kernel.window.profile(rel / kernel.radius)
    energy = torch.fft.fft(values.reshape(count, -1, 3), dim=0).abs().square().sum(1)
    frequency = 2 * math.pi * torch.fft.fftfreq(count, d=2 * extent / count, dtype=torch.float64).abs()
    return frequency, energy / count, window.square().sum()


WINDOWS = {
    "cut": {"window_threshold": 0.1},
    "uncut": {"window_threshold": 0.0},
    "tapered": {"window": "tapered"},
}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", FAMILIES)
def test_the_spectrum_stays_below_the_bound(name, window):
    for seed, large in enumerate((1.0, 1.0, 3.0, 8.0)):
        kernel = random_kernel(name, 1, seed, large, **WINDOWS[window], causal=seed == 1)
        frequency, energy, norm = spectrum(kernel, 1 << 14, 8.0, 1)
        size = network_size(kernel.network, kernel.support().clamp(max=9 * 0.4))
        bounds = [kernel.frequency_bound(tail).item() for tail in TAILS]
        for tail, bound in zip(TAILS, bounds, strict=True):
            above = energy[frequency > bound].sum(0)
            assert (above <= tail**2 * size.square() * norm).all(), (seed, tail, bound)
        assert bounds == sorted(bounds)


@pytest.mark.parametrize("window", ["cut", "tapered"])
@pytest.mark.parametrize("name", FAMILIES)
def test_in_two_dimensions(name, window):
    kernel = random_kernel(name, 2, 3, kernel_radius=2.0, **WINDOWS[window])
    frequency, energy, norm = spectrum(kernel, 256, 4.0, 2)
    size = network_size(kernel.network, kernel.support() / 2.0)
    for tail in TAILS:
        above = energy[frequency > kernel.frequency_bound(tail)[0]].sum(0)
        assert (above <= tail**2 * size.square() * norm).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_without_a_window(name):
    """A smooth band-pass above the bound leaves at most the stated share of a kernel, anywhere.

    A perceptron has no bound but on its domain, beyond which the kernel goes on as it is at its edge.
    """
    for seed in range(4):
        kernel = random_kernel(name, 1, seed, 1.0 + seed, window=None, kernel_layers=1 if seed == 3 else 2)
        if name == "mlp":
            kernel.domain.fill_(0.7)
        size = network_size(kernel.network, kernel.support())
        r = torch.linspace(-3, 3, 3001, dtype=torch.float64)
        at = torch.linspace(-0.5, 0.5, 11, dtype=torch.float64)
        with torch.no_grad():
            offsets = (at[:, None] + r).clamp(*((-0.7, 0.7) if name == "mlp" else (None, 10)))
            values = kernel(offsets.unsqueeze(-1))
        for tail in (0.1, 1e-2, 1e-3):
            bound = kernel.frequency_bound(tail).item()
            for faster in (1.0, 1.5):  # a Gaussian's spectrum of 8 standard deviations fits above the bound
                std = 8.0 / max(0.2 * bound, 16.0)
                wave = torch.cos((faster * bound + 8 / std) * r) * torch.exp(-0.5 * (r / std).square())
                passed = torch.einsum("anc,n->ac", values, wave).abs().amax(0)
                assert (passed <= tail * size * wave.abs().sum() + 1e-9).all()


@pytest.mark.parametrize("family", [FourierNet, lambda *a: RandomFourierNet(*a[:3], 1, a[4])])
def test_families_of_sines_are_bounded_by_their_highest_frequency(family):
    network = family(2, 3, 6, 2, 2.0).double()
    for tail in (0.05, 1e-4):
        bound = network.frequency_bound(tail)
        assert (bound <= network.max_frequency() * 1.01 + 0.01).all()
        assert (bound >= 0.5 * network.max_frequency()).all()


@pytest.mark.parametrize("family", [MAGNet, GaborNet, SIREN])
def test_the_bound_is_not_above_the_estimate_it_makes_exact(family):
    """Five percent of what there could be lie below the sum of each layer's fastest filter, with 2 deviations."""
    for seed in range(3):
        torch.manual_seed(seed)
        network = family(2, 3, 16, 3, 2.0)
        assert (network.frequency_bound(0.05) < network.max_frequency()).all()


@pytest.mark.parametrize("name", ["magnet", "gabor", "fourier"])
def test_the_bound_is_not_empty(name):
    """Kernels that make the most of their filters, with positive spectra, have the share above the bound / 1.8."""
    for seed in range(3):
        kernel = random_kernel(name, 1, seed, window_threshold=0.0, window_init=0.8)
        with torch.no_grad():
            for layer in kernel.network.filters:
                layer.phi.fill_(0.5 * math.pi)  # cosines, all at their largest at the centre
                if name != "fourier":
                    layer.mu.zero_()
            for linear in (*kernel.network.hidden, kernel.network.output):
                linear.weight.abs_()
                linear.bias.abs_()
        frequency, energy, _ = spectrum(kernel, 1 << 14, 8.0, 1)
        amplitude = energy.sqrt()
        for tail in (0.05, 0.01, 0.001):
            above = amplitude[frequency > kernel.frequency_bound(tail).item() / 1.8].sum(0)
            assert (above > tail * amplitude.sum(0)).any()


def test_a_filter_that_no_weight_connects_does_not_count():
    network = MAGNet(1, 2, 6, 2, 1.0)
    before = network.frequency_bound()
    with torch.no_grad():
        network.filters[2].omega[3] = 1e4
        network.output.weight[:, 3] = 0
        for linear in network.hidden:
            linear.weight[:, 3] = 0
    assert network.frequency_bound() < 2 * before
    assert network.max_frequency() > 1e4


def test_a_low_pass_lowers_the_bound():
    plain, passed = (random_kernel("magnet", 2, 0, window=None, low_pass=s) for s in (0.0, 0.3))
    assert (passed.frequency_bound(0.01) < plain.frequency_bound(0.01)).all()


def test_the_domain_does_not_count():
    seen, wide = (random_kernel("magnet", 1, 0, kernel_domain=d) for d in (0.2, None))
    assert torch.equal(seen.frequency_bound(), wide.frequency_bound())
    causal = random_kernel("magnet", 1, 0, causal=True)
    assert causal.frequency_bound(0.01) > 10 * wide.frequency_bound(0.01)  # a jump


def test_where_there_is_no_bound():
    assert random_kernel("mlp", 2, 0, window=None).frequency_bound().tolist() == [math.inf] * 2
    with pytest.raises(ValueError, match=r"expected tail in \[1e-5, 1\), got 0"):
        random_kernel("magnet", 1, 0).frequency_bound(0.0)
    silent = random_kernel("fourier", 1, 0, window=None)
    torch.nn.init.zeros_(silent.network.output.weight)
    assert silent.frequency_bound() == 0
