"""Another resolution: the kernel sampled anew and weighted by the cell gives the same features (appendix C.1).

A sum over samples is an integral but for what the integrand has beyond the sampling frequency, so the conditions are
those of sampling: signals that fall to zero before the border (one cut there has a jump, an error of first order in
the spacing), windows that taper, kernels that the coarser grid can carry. What breaks one of them has its own test.
"""

import numpy as np
import pytest
import torch
from scipy.signal import convolve

from ccnn_geo import CCNN, FlexConv, SepFlexConv, testing
from ccnn_geo.functional.representations import grid_positions, to_points
from ccnn_geo.kernels import KERNELS
from tests.pairwise import pairwise

FINE = {1: (128,), 2: (64, 56), 3: (32, 32, 28)}
STEP = {1: 1 / 64, 2: 1 / 32, 3: 1 / 16}
OMEGA_0 = {"magnet": 0.5, "gabor": 0.5, "fourier": 0.5, "siren": 5.0, "random_fourier": 0.5, "mlp": 2.0}
TOLERANCE = 1e-3
TO = ["coarser", "finer"]
BOTH = pytest.mark.parametrize("to", TO)
DIMS = pytest.mark.parametrize("dim", [1, 2, 3])


def halved(grid):
    """Every second sample of ``[B, C, *S]`` along each axis."""
    return grid[(..., *[slice(None, None, 2)] * (grid.dim() - 2))]


def signal(size, step, batch=2):
    """A few sinusoids under a bell that ends before the grid does, ``[B, 3, *S]``."""
    random = torch.Generator().manual_seed(0)
    pos = grid_positions(size, step, dtype=torch.float64)
    omega = 6 * torch.randn(batch, 3, 4, len(size), generator=random, dtype=torch.float64)
    phase = 2 * torch.pi * torch.rand(batch, 3, 4, 1, generator=random, dtype=torch.float64)
    waves = torch.sin(omega @ pos.mT + phase).sum(dim=2)
    return (waves * torch.exp(-0.5 * (pos / 0.22).square().sum(dim=1))).unflatten(2, size).float()


def both(dim, to, fine=None, batch=2):
    """The signal and its spacing as a layer is trained on, and at the other resolution."""
    size = FINE[dim] if fine is None else fine
    step = 2 / max(size)
    x = signal(size, step, batch)
    grids = (x, step), (halved(x), 2 * step)
    return grids if to == "coarser" else grids[::-1]


def compared(module, grids):
    """Outputs at the samples that both resolutions have: of the one trained on, and of the other."""
    most = max(x.size(2) for x, _ in grids)
    return [halved(y) if y.size(2) == most else y for y in (module(x, spacing=h) for x, h in grids)]


def layer(dim, cls=SepFlexConv, kernel="magnet", **kwargs):
    kwargs = {"window": "tapered", "window_init": 0.15, "kernel_radius": 2.0} | kwargs
    kwargs = {"omega_0": OMEGA_0[kernel], "kernel_hidden": 8, "num_neighbors": None} | kwargs
    return cls(3, 4, dim, kernel=kernel, **kwargs)


def trained(module, x, spacing):
    """With all that a pass in training mode sets, from the batch's statistics to the trained domain."""
    for norm in module.modules():
        if isinstance(norm, torch.nn.BatchNorm1d):
            norm.momentum = 1.0
    with torch.no_grad():
        module.train()(x, spacing=spacing)
    return module.eval().requires_grad_(False)


def error(expected, actual):
    return ((actual - expected).norm() / expected.norm()).item()


def error_of(conv, dim, to):
    grids = both(dim, to)
    return error(*compared(trained(conv, *grids[0]), grids))


@pytest.mark.parametrize(*pairwise({"kernel": KERNELS, "dim": [1, 2, 3], "to": TO}))
def test_grids_agree(dim, kernel, to):
    assert error_of(layer(dim, kernel=kernel), dim, to) < TOLERANCE


@BOTH
@DIMS
def test_grids_agree_under_a_gaussian_window(dim, to):
    """The threshold bounds the jump at its end: 0.1, the paper's, is an error of first order."""
    for threshold, tolerance in ((1e-3, TOLERANCE), (0.1, 2 * STEP[dim])):
        conv = layer(dim, window="gaussian", window_threshold=threshold)
        assert error_of(conv, dim, to) < tolerance


@BOTH
def test_grids_agree_with_dense_kernels(to):
    assert error_of(layer(1, cls=FlexConv), 1, to) < TOLERANCE


@BOTH
@pytest.mark.parametrize("kernel", KERNELS)
def test_causal_grids_agree_but_for_the_first_tap(kernel, to):
    """Causality is a jump from k(0) to 0: a sum counts all of that tap, the integral half of it."""
    conv = layer(1, kernel=kernel, causal=True)
    grids = both(1, to, fine=(512,))
    trained(conv, *grids[0])
    expected, actual = compared(conv.aggregate_neighbors, grids)
    coarse = min((x for x, _ in grids), key=lambda x: x.size(2))
    first_tap = conv.kernel(torch.zeros(1, 1)).view(1, -1, 1) * coarse
    measure = grids[1][1] / grids[0][1]
    assert error(expected, actual - (measure - 1) / 2 * first_tap) < TOLERANCE
    if kernel in ("magnet", "gabor"):  # their sines start with phase 0: no first tap before training
        assert error(expected, actual) < TOLERANCE
    else:
        assert error(expected, actual) > TOLERANCE


METHODS = ["plain", "edge", "lattice", "mesh", "auto"]


@pytest.mark.parametrize(*pairwise({"method": METHODS, "dim": [1, 2, 3], "to": TO}))
def test_points_agree(dim, method, to):
    """The other grid's samples as points that weigh what their cells do, seen from some of the common ones."""
    (x, h), (other, step) = both(dim, to)
    conv = trained(layer(dim), x, h)
    expected, _ = compared(conv, ((x, h), (other, step)))
    positions = grid_positions(FINE[dim], STEP[dim]).mT.unflatten(1, FINE[dim]).unsqueeze(0)
    target = halved(positions)[0].flatten(1).mT
    near = (target.abs().amax(dim=1) < 0.4).nonzero().squeeze(1)[:: 8 ** (dim - 1)]
    source = (positions if to == "finer" else halved(positions))[0].flatten(1).mT
    conv.method = method
    actual = conv(
        (other[0].flatten(1).mT, None),
        (source, target[near]),
        weight=torch.full((len(source),), (step / h) ** dim),
        spacing=step if method == "lattice" else None,
    )
    assert error(expected[0].flatten(1).mT[near], actual) < TOLERANCE


@BOTH
@pytest.mark.parametrize(("dim", "causal"), [(1, False), (1, True), (2, False)])
def test_networks_agree(dim, causal, to):
    """Biases reach the border and make a jump there, of first order; inside nonlinearities spoil next to nothing."""
    kwargs = {"window": "tapered", "window_init": 0.05, "kernel_radius": 2.0, "causal": causal}
    net = CCNN(3, 5, dim, 8, 2, kernel_hidden=6, omega_0=0.5, num_neighbors=None, readout="node", **kwargs)
    fine = {1: (512,), 2: (128, 128)}[dim]
    grids = both(dim, to, fine, batch=8)
    trained(net, *grids[0])
    expected, actual = compared(net, grids)
    assert error(expected, actual) < 5e-3
    pos = halved(grid_positions(fine).mT.unflatten(1, fine).unsqueeze(0))[0]
    inner = pos.abs().amax(dim=0) < 1 - sum(conv.kernel.support()[0] for conv in net.convs)
    assert inner.any()
    if dim == 1:  # a causal kernel's slope at lag 0 is of second order
        assert error(expected[..., inner], actual[..., inner]) < (5e-3 if causal else 1e-5)
        points = to_points(*grids[1])
        weight = torch.full_like(points.pos[:, 0], grids[1][1] / grids[0][1])
        on_points = net(points.x, points.pos, points.batch, weight=weight)
        on_points = on_points.unflatten(0, (8, -1)).mT
        on_points = halved(on_points) if to == "finer" else on_points
        assert error(expected, on_points) < 5e-3
    net.head.readout = "global"
    assert error(*(net(x, spacing=h) for x, h in grids)) < 5e-3


@BOTH
def test_kernels_beyond_the_coarser_grid_do_not_agree(to):
    conv = layer(1, omega_0=50.0)
    assert error_of(conv, 1, to) > 0.3
    assert conv.kernel.max_frequency() > torch.pi / (2 * STEP[1])


@BOTH
def test_without_cell_or_spacing_nothing_agrees(to):
    (x, h), (other, step) = both(1, to)
    conv = trained(layer(1), x, h)
    expected, same_taps = compared(conv, ((x, h), (other, h)))
    assert error(expected, same_taps) > 0.3
    conv.grid.reference_spacing.fill_(step)
    _, unweighted = compared(conv, ((x, h), (other, step)))
    assert error(expected, unweighted) > 0.3


GRIDS = [(1, False), (1, True), (2, False), (3, False)]


@pytest.mark.parametrize(*pairwise({"dim, causal": GRIDS, "window": [None, "gaussian"], "step": [0.1, 0.05]}))
def test_offsets_beyond_the_trained_domain_give_nothing(dim, causal, window, step):
    """A grid that reaches further, by the trained part of the kernel alone: grid, points, and a plain convolution."""
    small, large = (9, 6, 4)[:dim], (21, 12, 8)[:dim]
    conv = layer(dim, window=window, window_init=1.0, kernel_radius=1.0, causal=causal).double()
    trained(conv, signal(small, 0.1).double(), 0.1)
    domain = 0.1 * (torch.tensor(small, dtype=torch.float64) - 1)
    rel = grid_positions([2 * s - 1 for s in large], step, dtype=torch.float64)
    kernel = conv.kernel.network(rel)
    if window:
        kernel = kernel * conv.kernel.window.profile(rel).unsqueeze(-1)
    inside = (rel.abs() <= domain + 1e-6).all(dim=-1) & (rel[:, 0] > -1e-6 if causal else True)
    assert not (inside | (rel[:, 0] < 0) if causal else inside).all()
    taps = ((step / 0.1) ** dim * kernel * inside.unsqueeze(-1)).mT.unflatten(1, [2 * s - 1 for s in large])
    x = torch.randn(1, 3, *large, dtype=torch.float64)
    full = np.stack([convolve(a, k) for a, k in zip(x[0].numpy(), taps.numpy(), strict=True)])
    expected = torch.from_numpy(full[(slice(None), *(slice(s - 1, 2 * s - 1) for s in large))])
    testing.assert_close(conv.aggregate_neighbors(x, spacing=step)[0], expected)
    points = to_points(x, step)
    weight = torch.full_like(points.pos[:, 0], (step / 0.1) ** dim)
    actual = conv.aggregate_neighbors(points.x, points.pos, weight=weight)
    testing.assert_close(actual.mT, expected.flatten(1))
    testing.assert_close(conv.kernel.domain, domain, 1e-6)  # inference leaves it alone
