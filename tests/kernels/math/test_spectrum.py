"""Bounds of spectra: against functions whose spectra are known."""

import math

import pytest
import torch

from ccnn_geo.kernels.math.spectrum import SHIFTS, log_affine, log_cosh, profile_band, slope_band, strip_band


@pytest.mark.parametrize("omega", [0.3, 7.0, 300.0])
def test_a_sine_ends_at_its_frequency(omega):
    log_size = log_cosh(omega * SHIFTS)[:, None, None]
    for tail in (0.5, 1e-3):
        assert omega * 0.9 < strip_band(log_size, tail).item() < omega * 1.001 + 0.01


@pytest.mark.parametrize("gamma", [0.5, 20.0])
def test_a_gaussian_against_its_own_tail(gamma):
    r"""The spectrum's share above :math:`b` is :math:`\mathrm{erfc}(b / \gamma \sqrt 2)`: no less, not much more."""
    log_size = 0.5 * (gamma * SHIFTS).square()[:, None, None]
    for tail in (0.1, 1e-3, 1e-6):
        bound = strip_band(log_size, tail).item()
        exact = math.sqrt(2) * gamma * torch.special.ndtri(torch.tensor(1 - tail / 2)).item() / math.sqrt(2)
        assert exact <= bound < 2 * exact


def test_largest_channel_and_axis_by_axis():
    slow, fast = log_cosh(2 * SHIFTS), log_cosh(5 * SHIFTS)
    log_size = torch.stack([torch.stack([slow, slow], -1), torch.stack([slow, fast], -1)], dim=1)
    assert strip_band(log_size, 0.1).tolist() == pytest.approx([2, 5], rel=0.1)


def test_products_in_logarithms():
    log_size = 3 * torch.randn(5, 7, dtype=torch.float64)
    weight, bias = torch.randn(4, 7, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    expected = (log_size.exp() @ weight.abs().mT + bias.abs()).log()
    torch.testing.assert_close(log_affine(log_size, weight, bias), expected)
    huge = log_affine(log_size + 1e6, weight, bias)
    torch.testing.assert_close(huge - 1e6, (log_size.exp() @ weight.abs().mT).log())
    assert log_affine(torch.full((7,), math.inf), torch.ones(4, 7), torch.zeros(4)).isinf().all()


def test_slopes():
    bound = slope_band(torch.tensor([[3.0, 0.0], [1.0, 8.0]]), torch.tensor([2.0, 4.0]), 0.1)
    assert bound.tolist() == pytest.approx([15 * math.pi / 2, 10 * math.pi])


PROFILES = {
    "box": (lambda r: torch.ones_like(r), -1.0, 1.0),
    "half of a box": (lambda r: torch.ones_like(r), 0.0, 1.0),
    "Gaussian": (lambda r: torch.exp(-0.5 * r.square()), -9.0, 9.0),
    "Gaussian with a jump": (lambda r: torch.exp(-0.5 * r.square()), -2.0, 2.0),
    "taper": (lambda r: (1 - r.square()).square(), -1.0, 1.0),
}


@pytest.mark.parametrize("name", PROFILES)
def test_windows_against_their_fourier_series(name):
    """The least frequency that leaves the share, of samples on a long period, is just below the bound."""
    profile, start, end = PROFILES[name]
    count, period = 1 << 20, 64 * (end - start)
    r = (torch.arange(count, dtype=torch.float64) + 0.5) * (period / count) + start
    values = torch.where(r < end, profile(r.clamp(max=end)), 0.0)
    energy = torch.fft.rfft(values).abs().square()
    share = energy.flip(0).cumsum(0).flip(0) / energy.sum()
    for tail in (0.5, 0.1, 0.02):
        least = (share > tail**2).sum().item() * 2 * math.pi / period
        bound = profile_band(profile, start, end, tail)
        assert least * 0.999 <= bound
        assert bound <= 2.5 * least + 3 / (end - start), (tail, bound, least)


def test_a_gaussian_window_is_known_exactly():
    profile, start, end = PROFILES["Gaussian"]
    for tail in (0.1, 1e-3, 1e-5):
        bound = profile_band(profile, start, end, tail)
        assert math.sqrt(math.erfc(bound)) <= tail <= math.sqrt(math.erfc(bound - 2 * 300 / 18 / 160))
