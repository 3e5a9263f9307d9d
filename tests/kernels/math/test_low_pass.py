"""The low-pass of kernels: a convolution with a Gaussian, and a bound of the spectrum."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from ccnn_geo import SepFlexConv
from ccnn_geo.functional.representations import grid_positions
from ccnn_geo.kernels import KERNELS, FourierNet, GaborNet, MAGNet, RandomFourierNet
from ccnn_geo.kernels.magnet import gabor_values
from ccnn_geo.kernels.math.gabor import Gabor
from ccnn_geo.kernels.math.low_pass import low_pass_gabor
from ccnn_geo.neighbors import build_neighbors


def gaussian_nodes(dim, std, per_axis=60):
    """Nodes and weights whose sum of a function is its mean under N(0, std^2 I): Gauss and Hermite."""
    nodes, weights = (torch.from_numpy(a).clone() for a in np.polynomial.hermite_e.hermegauss(per_axis))
    grids = torch.meshgrid(*[nodes * std] * dim, indexing="ij")
    products = torch.meshgrid(*[weights / math.sqrt(2 * math.pi)] * dim, indexing="ij")
    return torch.stack(grids, -1).reshape(-1, dim), torch.stack(products, -1).prod(-1).flatten()


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("std", [0.05, 0.3])
def test_filters_are_convolved_with_a_gaussian(dim, std):
    torch.manual_seed(dim)
    mu, gamma, omega = torch.randn(3, 5, dim, dtype=torch.float64) * torch.tensor([0.4, 2.0, 6.0]).view(
        3, 1, 1
    )
    gamma[0] = 0.0  # a sine
    gabor = Gabor(mu, gamma, omega, torch.randn(5, dtype=torch.float64))
    passed, amplitude = low_pass_gabor(gabor, std)
    at = torch.rand(7, dim, dtype=torch.float64) * 2 - 1
    nodes, weights = gaussian_nodes(dim, std)
    expected = torch.einsum("n,anh->ah", weights, gabor_values(at.unsqueeze(1) - nodes, gabor))
    torch.testing.assert_close(amplitude * gabor_values(at, passed), expected, rtol=1e-8, atol=1e-9)


def test_random_features_are_convolved_with_a_gaussian():
    torch.manual_seed(0)
    kernel = RandomFourierNet(2, 3, 8, 1, omega_0=0.7).double()
    at, (nodes, weights) = torch.randn(6, 2, dtype=torch.float64), gaussian_nodes(2, 0.2)
    with torch.no_grad():
        expected = torch.einsum("n,anc->ac", weights, kernel(at.unsqueeze(1) - nodes))
        kernel.low_pass = 0.2
        torch.testing.assert_close(kernel(at), expected, rtol=1e-8, atol=1e-9)


def total_amplitude(kernel):
    """The kernel's value if every filter were 1 and every weight positive: no frequency can hold more."""
    h = torch.ones(kernel.hidden_channels, dtype=torch.float64)
    for linear in kernel.hidden:
        h = linear.weight.abs() @ h + linear.bias.abs()
    return (kernel.output.weight.abs() @ h + kernel.output.bias.abs()).item()


@pytest.mark.parametrize("family", [MAGNet, GaborNet, FourierNet])
@pytest.mark.parametrize("std", [0.05, 0.1, 0.2])
def test_the_spectrum_stays_below_its_bound(family, std):
    """What is left of a kernel above a frequency, the largest value anywhere, from samples on a line."""
    r = torch.linspace(-30, 30, (1 << 15) + 1, dtype=torch.float64)[:-1].unsqueeze(-1)
    frequencies = 2 * math.pi * torch.fft.fftfreq(len(r), d=(r[1] - r[0]).item())
    for seed in range(3):
        torch.manual_seed(seed)
        kernel = family(1, 1, 6, 2, omega_0=2.0, low_pass=std).double()
        with torch.no_grad():
            if family is FourierNet:  # sines that the line is a period of
                for sine in kernel.filters:
                    sine.omega.mul_(60 / (2 * math.pi)).round_().mul_(2 * math.pi / 60)
            spectrum = torch.fft.fft(kernel(r)[:, 0])
        for limit in (5.0, 10.0, 20.0, 40.0):
            above = torch.fft.ifft(torch.where(frequencies.abs() > limit, spectrum, 0)).abs().max().item()
            assert above <= math.exp(-0.5 * (limit * std) ** 2) * total_amplitude(kernel) + 1e-9


@pytest.mark.parametrize("name", ["magnet", "gabor", "fourier"])
def test_every_path_takes_it(name, dtype, device):
    conv = SepFlexConv(
        3, 4, 2, kernel_hidden=6, omega_0=1.0, window_init=0.4, kernel=name, low_pass=0.1, method="edge"
    ).to(device, dtype)
    pos = grid_positions((6, 6), dtype=dtype).to(device)
    x = torch.randn(36, 3, dtype=dtype, device=device)
    neighbors = build_neighbors(pos, num_neighbors=None)
    conv(x, pos, neighbors)
    plain = SepFlexConv(
        3, 4, 2, kernel_hidden=6, omega_0=1.0, window_init=0.4, kernel=name, low_pass=0.1, method="plain"
    ).to(device, dtype)
    plain.load_state_dict(conv.state_dict())
    parameters = list(zip(conv.parameters(), plain.parameters(), strict=True))
    out, expected = conv(x, pos, neighbors), plain(x, pos, neighbors)
    grid = conv(x.mT.reshape(1, 3, 6, 6)).flatten(2)[0].mT
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-11}
    torch.testing.assert_close(out, expected, **close)
    torch.testing.assert_close(grid, expected, **close)
    weight = torch.randn_like(out)
    ours = torch.autograd.grad((out * weight).sum(), [p for p, _ in parameters])
    theirs = torch.autograd.grad((expected * weight).sum(), [p for _, p in parameters])
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(
            a, b, rtol=close["rtol"], atol=close["atol"] * max(1.0, b.abs().max().item())
        )
    unfiltered = SepFlexConv(3, 4, 2, kernel_hidden=6, omega_0=1.0, window_init=0.4, kernel=name).to(
        device, dtype
    )
    unfiltered.load_state_dict(conv.state_dict())
    assert (unfiltered(x, pos, neighbors) - expected).norm() > 0.01 * expected.norm()


@pytest.mark.parametrize("omega_0", [0.5, 2.0])
def test_samplings_of_a_surface_differ_less_the_lower_it_passes(omega_0):
    """Sums over 400 random points of a sphere, of a smooth function, at the same 50 places."""
    generator = torch.Generator().manual_seed(0)
    at, *clouds = (
        torch.nn.functional.normalize(torch.randn(n, 3, dtype=torch.float64, generator=generator), dim=1)
        for n in (50, 400, 400, 400, 400)
    )
    pairs = [build_neighbors(pos, num_neighbors=None, pos_dst=at) for pos in clouds]
    drifts = []
    for std in (0.0, 0.1, 0.2, 0.4):
        torch.manual_seed(0)
        conv = SepFlexConv(24, 1, 3, omega_0=omega_0, window_init=0.5, num_taps=100.0, low_pass=std).double()
        with torch.no_grad():
            sums = [
                conv.aggregate_neighbors(((1 + pos / 2).repeat(1, 8), None), (pos, at), p)
                for pos, p in zip(clouds, pairs, strict=True)
            ]
        found = torch.stack(sums)
        drifts.append(((found - found.mean(0)).norm() / found.norm()).item())
    assert all(b < 0.95 * a for a, b in pairwise(drifts)) and drifts[-1] < 0.6 * drifts[0], drifts


def test_what_cannot_be():
    for name in set(KERNELS) - {"magnet", "gabor", "fourier", "random_fourier"}:
        with pytest.raises(ValueError, match=rf"expected kernel to be one of magnet, .*got '{name}'"):
            SepFlexConv(3, 4, 2, kernel=name, low_pass=0.1)
    with pytest.raises(ValueError, match=r"MAGNet: expected low_pass >= 0 and finite, got -0\.1"):
        SepFlexConv(3, 4, 2, omega_0=1.0, low_pass=-0.1)
    with pytest.raises(ValueError, match="expected num_layers=1 with a low_pass, got 3"):
        SepFlexConv(3, 4, 2, kernel="random_fourier", omega_0=1.0, low_pass=0.1)
    with pytest.raises(
        ValueError, match="expected omega_0 or window_init with a low_pass, which is in units"
    ):
        SepFlexConv(3, 4, 2, low_pass=0.1)
    assert "low_pass=0.1" in repr(MAGNet(2, 3, low_pass=0.1)) and "low_pass" not in repr(MAGNet(2, 3))
