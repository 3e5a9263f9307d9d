"""B-splines: values, slopes and dual filter against scipy; spread and gather against finufft."""

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from ccnn_geo.functional.mesh.bspline import bspline_dual, bspline_nodes, bspline_slopes, bspline_weights
from ccnn_geo.functional.mesh.geometry import MeshGeometry

ORDERS = [2, 3, 4, 5, 6, 8]


@pytest.mark.parametrize("order", ORDERS)
def test_values_and_slopes_match_scipy(order):
    coords = torch.randn(50, dtype=torch.float64) * 10
    node, rest = bspline_nodes(coords, order)
    distance = coords.unsqueeze(1) - node.unsqueeze(1) - torch.arange(order)
    assert (distance.abs() <= order / 2).all()
    spline = BSpline.basis_element(np.arange(order + 1) - order / 2, extrapolate=False)
    np.testing.assert_allclose(bspline_weights(rest, order), spline(distance.numpy()), atol=1e-14)
    np.testing.assert_allclose(bspline_slopes(rest, order), spline.derivative()(distance.numpy()), atol=1e-13)


@pytest.mark.parametrize("length", [8, 9])
@pytest.mark.parametrize("order", ORDERS)
def test_dual_is_the_least_squares_fit_of_a_wave(order, length):
    theta = torch.fft.fftfreq(length, dtype=torch.float64) * 2 * math.pi
    aliases = theta.unsqueeze(1) + 2 * math.pi * torch.arange(-3000, 3001, dtype=torch.float64)
    spectrum = torch.sinc(aliases / (2 * math.pi)) ** order
    expected = torch.sinc(theta / (2 * math.pi)) ** order / spectrum.square().sum(1)
    torch.testing.assert_close(bspline_dual(length, order), expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(bspline_dual(length, order, half=True), bspline_dual(length, order)[: length // 2 + 1])


def test_orders_out_of_range():
    with pytest.raises(ValueError, match="expected order >= 1, got 0"):
        bspline_weights(torch.zeros(3), 0)
    with pytest.raises(ValueError, match="expected order >= 2, got 1"):
        bspline_slopes(torch.zeros(3), 1)


def lattice(dim, order, cells=16):
    """Points with their stencil, and their coordinates as angles of one period of ``cells`` cells."""
    pos = torch.rand(60, dim, dtype=torch.float64) * 0.4
    geometry = MeshGeometry.build(pos, None, [0.4 / 8] * dim, order)
    (group,) = geometry.groups
    node, rest = bspline_nodes(geometry.coords_src, order)
    coords = node - node.amin(0) + rest + (order / 2 - 1)  # in cells from the lattice's first
    return group, (coords * (2 * math.pi / cells)).numpy()


def deconvolve(spectrum, dim, order, cells=16):
    """Low frequencies ``[C, modes ** dim]`` of a padded lattice's spectrum, in increasing order."""
    modes = torch.arange(-cells // 4, cells // 4)  # the half that twofold oversampling leaves
    for d in range(dim):
        shape = [-1 if a == d else 1 for a in range(dim)]
        spectrum = spectrum * bspline_dual(cells, order).view(shape)
    for d in range(dim):
        spectrum = spectrum.index_select(1 + d, modes % cells)
    return spectrum


def modulus(finufft, kind, dim):
    return getattr(finufft, f"nufft{dim}d{kind}")


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_spread_points_have_the_nonuniform_fourier_coefficients(dim):
    finufft = pytest.importorskip("finufft", reason="finufft, the oracle, has no wheel here")
    errors = []
    for order in (4, 8):
        group, angles = lattice(dim, order)
        x = torch.randn(60, 2, dtype=torch.float64)
        cells = group.src.spread(x).view(*group.size, 2).movedim(-1, 0)
        spectrum = deconvolve(torch.fft.fftn(cells, s=[16] * dim), dim, order).numpy()
        transform = modulus(finufft, 1, dim)
        exact = transform(
            *np.ascontiguousarray(angles.T),
            np.ascontiguousarray(x.T.numpy(), dtype=complex),
            (8,) * dim if dim > 1 else 8,
            isign=-1,
            eps=1e-13,
        )
        errors.append(np.linalg.norm(spectrum - exact) / np.linalg.norm(exact))
    assert errors[0] < 2e-2
    assert errors[1] < 3e-4
    assert errors[1] < errors[0] / 20


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_gathering_evaluates_a_fourier_series(dim):
    finufft = pytest.importorskip("finufft", reason="finufft, the oracle, has no wheel here")
    for order, bound in ((4, 2e-2), (8, 3e-4)):
        group, angles = lattice(dim, order)
        modes = torch.randn(2, *[8] * dim, dtype=torch.complex128)
        exact = modulus(finufft, 2, dim)(*np.ascontiguousarray(angles.T), modes.numpy(), isign=1, eps=1e-13)
        padded = torch.zeros(2, *[16] * dim, dtype=torch.complex128)
        rows = torch.arange(-4, 4) % 16
        padded[(slice(None), *torch.meshgrid(*[rows] * dim, indexing="ij"))] = modes
        for d in range(dim):
            shape = [-1 if a == d else 1 for a in range(dim)]
            padded = padded * bspline_dual(16, order).view(shape)
        waves = torch.fft.ifftn(padded, dim=tuple(range(1, dim + 1)), norm="forward")
        waves = waves[(slice(None), *(slice(n) for n in group.size))].movedim(0, -1).flatten(0, -2)
        values = torch.complex(
            group.dst.gather(waves.real.contiguous()), group.dst.gather(waves.imag.contiguous())
        )
        actual = torch.zeros_like(values)
        actual[group.dst.rows] = values
        assert np.linalg.norm(actual.T.numpy() - exact) < bound * np.linalg.norm(exact)
