"""The mesh path: values and gradients against the plain sum in float64, convergence, ragged batches, limits."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccnn_geo import testing
from ccnn_geo.continuous_kernel import ContinuousKernel
from ccnn_geo.functional import mesh_geometry, mesh_stencil, mesh_sum
from ccnn_geo.functional.edge_conv import edge_conv
from ccnn_geo.functional.mesh_band import kernel_band, measured_band, mesh_spacing, stated_band
from ccnn_geo.functional.mesh_conv import mesh_conv, mesh_error
from ccnn_geo.functional.mesh_geometry import MeshGeometry
from ccnn_geo.kernels import KERNELS
from ccnn_geo.neighbors import build_neighbors

CHANNELS = 3


def smooth(dim, dtype=torch.float64, device="cpu", kernel="fourier", **kwargs):
    """A kernel that a lattice can carry: few oscillations, a window without a jump."""
    args = {"hidden": 6, "num_layers": 2, "omega_0": 0.3, "window_init": 0.4, "window_threshold": 1e-4}
    kernel = ContinuousKernel(dim, CHANNELS, kernel=kernel, **{**args, **kwargs})
    for layer in getattr(kernel.network, "filters", []):
        if hasattr(layer, "gamma"):
            layer.gamma.data.mul_(0.3)  # wide envelopes
    return kernel.to(device, dtype)


def cloud(n, dim, dtype=torch.float64, device="cpu"):
    pos = torch.rand(n, dim, dtype=torch.float64) * 2 - 1
    return torch.randn(n, CHANNELS, dtype=torch.float64).to(device, dtype), pos.to(device, dtype)


def plain_sum(x, pos_src, pos_dst, kernel, batch_src=None, batch_dst=None, weight=None):
    """The definition: all pairs of one cloud, O(N M)."""
    values = kernel(pos_dst.unsqueeze(1) - pos_src.unsqueeze(0))
    if batch_src is not None:
        values = values * (batch_dst.unsqueeze(1) == batch_src.unsqueeze(0)).unsqueeze(-1)
    if weight is not None:
        values = values * weight.view(1, -1, 1)
    return torch.einsum("mnc,nc->mc", values, x)


def relative(actual, expected):
    return ((actual - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize(("order", "oversampling", "tol"), [(6, 2.0, 1e-2), (8, 3.0, 1e-3)])
@pytest.mark.parametrize("kernel", ["fourier", "magnet"])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_values_and_gradients_match_the_plain_sum(dim, kernel, order, oversampling, tol, dtype, device):
    k = smooth(dim, dtype, device, kernel)
    x, pos_src = cloud(60, dim, dtype, device)
    _, pos_dst = cloud(40, dim, dtype, device)
    weight = torch.rand(60, dtype=torch.float64).to(x)
    testing.assert_same_function(
        lambda x, p, q, w: mesh_conv(x, p, q, k, order=order, oversampling=oversampling, weight=w),
        lambda x, p, q, w: plain_sum(x, p, q, k, weight=w),
        (x, pos_src, pos_dst, weight),
        list(k.parameters()),
        tol=tol,
    )


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_high_order_is_nearly_exact(dim, device):
    k = smooth(dim, device=device, window_threshold=1e-7)
    x, pos = cloud(50, dim, device=device)
    testing.assert_same_function(
        lambda x, p: mesh_conv(x, p, None, k, order=10, oversampling=3.0),
        lambda x, p: plain_sum(x, p, p, k),
        (x, pos),
        list(k.parameters()),
        tol=1e-6,
    )


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_law_mesh_is_the_edge_path_with_all_pairs(dim, dtype, device):
    k = smooth(dim, dtype, device, "magnet", window="tapered", window_threshold=0.1)
    x, pos = cloud(80, dim, dtype, device)
    neighbors = build_neighbors(pos, num_neighbors=None)
    testing.assert_same_function(
        lambda x: mesh_conv(x, pos, None, k),
        lambda x: edge_conv(x, pos, pos, neighbors, k),
        (x,),
        tol=1e-3,
    )


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_default_lattice_suits_every_family(kernel):
    k = smooth(2, kernel=kernel, window="tapered", window_threshold=0.1, hidden=16, num_layers=3)
    x, pos = cloud(300, 2)
    assert mesh_error(x, pos, None, k) < 1e-3


def test_error_falls_with_order_and_spacing():
    k = smooth(2, window_init=0.3, window_threshold=1e-12)
    x, pos = cloud(200, 2)
    exact = plain_sum(x, pos, pos, k)

    def error(order, spacing):
        return relative(mesh_conv(x, pos, None, k, order=order, spacing=(spacing, spacing)), exact)

    for order in (2, 3, 4, 6):
        rate = math.log2(error(order, 0.1) / error(order, 0.05))
        assert order - 0.3 < rate < order + 1.5, (order, rate)
    by_order = [error(m, 0.1) for m in (2, 4, 6, 8)]
    assert all(b < a / 8 for a, b in itertools.pairwise(by_order)), by_order


@pytest.mark.parametrize("order", [3, 4])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_gradients_match_finite_differences(dim, order):
    k = smooth(dim, hidden=2, num_layers=1)
    spacing = mesh_spacing(k, 1.0)
    (x, pos_src), (_, pos_dst) = cloud(6, dim), cloud(4, dim)
    batch_src, batch_dst = torch.tensor([0, 0, 0, 2, 2, 3]), torch.tensor([0, 2, 3, 3])
    weight = torch.rand(6, dtype=torch.float64)
    leaves = [t.requires_grad_() for t in (x, pos_src, pos_dst * 1.5, weight)]
    assert torch.autograd.gradcheck(
        lambda x, p, q, w, *_: mesh_conv(
            x, p, q, k, batch_src, batch_dst, 5, spacing=spacing, order=order, weight=w
        ),
        (*leaves, *k.parameters()),
    )
    assert torch.autograd.gradcheck(
        lambda x, p: mesh_conv(x, p, None, k, batch_src, spacing=spacing, order=order), leaves[:2]
    )


def test_second_derivatives_are_refused():
    x, pos = cloud(5, 2)
    out = mesh_conv(x.requires_grad_(), pos, None, smooth(2))
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(out.sum(), x, create_graph=True)


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=5),
    dim=st.integers(1, 3),
    shuffle=st.booleans(),
)
def test_ragged_batches_match_the_plain_sum(sizes, dim, shuffle):
    torch.manual_seed(0)
    k = smooth(dim)
    batch_src = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor([s for s, _ in sizes]))
    batch_dst = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor([t for _, t in sizes]))
    scale = torch.linspace(
        0.1, 3, len(sizes), dtype=torch.float64
    )  # extents differ: lattices of several sizes
    (x, pos_src), (_, pos_dst) = cloud(batch_src.numel(), dim), cloud(batch_dst.numel(), dim)
    pos_src, pos_dst = pos_src * scale[batch_src, None], pos_dst * scale[batch_dst, None]
    if shuffle:
        order = torch.randperm(batch_src.numel())
        x, pos_src, batch_src = x[order], pos_src[order], batch_src[order]
    actual = mesh_conv(x, pos_src, pos_dst, k, batch_src, batch_dst, len(sizes))
    expected = plain_sum(x, pos_src, pos_dst, k, batch_src, batch_dst)
    assert (actual - expected).norm() <= 5e-3 * (expected.norm() + x.norm())


def test_a_cloud_is_not_changed_by_its_batch():
    x, pos = cloud(40, 2)
    k, batch = smooth(2), torch.tensor([0] * 25 + [2] * 1 + [3] * 14)
    spacing = mesh_spacing(k)
    together = mesh_conv(x, pos, None, k, batch, spacing=spacing)
    parts = [mesh_conv(x[batch == b], pos[batch == b], None, k, spacing=spacing) for b in (0, 2, 3)]
    testing.assert_close(together, torch.cat(parts), 1e-6)  # sizes of lattices differ


@pytest.mark.parametrize("window_init", [0.05, 0.4, 10.0])
def test_nothing_wraps_around(window_init):
    """Two groups at opposite ends; the kernel far shorter, about as long, and far longer than the cloud."""
    k = smooth(1, window_init=window_init)
    x, pos = cloud(40, 1)
    pos = pos * 0.1 + torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat_interleave(20).unsqueeze(1)
    assert relative(mesh_conv(x, pos, None, k), plain_sum(x, pos, pos, k)) < 2e-3
    spread = x * (pos < 0)
    if window_init == 0.05:
        assert mesh_conv(spread, pos, None, k)[20:].norm() < 1e-4 * mesh_conv(spread, pos, None, k).norm()


@pytest.mark.parametrize(
    "kwargs", [{"window": None}, {"window_threshold": 0.0}, {"domain": 5.0, "window": None}]
)
def test_kernels_without_an_end(kwargs):
    k = smooth(2, **kwargs)
    x, pos = cloud(60, 2)
    assert relative(mesh_conv(x, pos, None, k), plain_sum(x, pos, pos, k)) < 1e-3


def test_targets_outside_the_sources_and_single_points():
    k = smooth(2)
    x, pos = cloud(30, 2)
    target = torch.tensor([[1.5, 0.2], [-2.0, -1.9], [0.1, 0.0], [40.0, -30.0]], dtype=torch.float64)
    expected = plain_sum(x, pos, target, k)
    assert relative(mesh_conv(x, pos, target, k), expected) < 2e-3
    one = mesh_conv(x[:1], pos[:1], None, k)
    assert relative(one, x[:1] * k(torch.zeros(1, 2, dtype=torch.float64))) < 2e-3
    assert mesh_conv(x[:0], pos[:0], None, k).shape == (0, CHANNELS)
    assert not mesh_conv(x[:0], pos[:0], target, k).any()


def test_permutation_and_translation(dtype, device):
    k = smooth(3, dtype, device)
    x, pos = cloud(50, 3, dtype, device)
    expected = mesh_conv(x, pos, None, k)
    order = torch.randperm(50, device=device)
    testing.assert_close(mesh_conv(x[order], pos[order], None, k), expected[order])
    shift = torch.tensor([1000.0, -1000.0, 500.0], dtype=dtype, device=device)
    moved = pos + shift
    testing.assert_close(mesh_conv(x, moved, None, k), mesh_conv(x, moved - shift, None, k))


def test_shared_geometry_and_small_budgets_change_nothing(monkeypatch):
    x, pos = cloud(60, 2)
    batch = torch.arange(60) % 7
    first, second = smooth(2, window_init=0.15), smooth(2, window_init=0.2)
    spacing = [min(pair) for pair in zip(mesh_spacing(first), mesh_spacing(second), strict=True)]
    geometry = MeshGeometry.build(pos, None, spacing, 6, batch)
    for k in (first, second):
        alone = mesh_conv(x, pos, None, k, batch, spacing=spacing)
        testing.assert_close(mesh_conv(x, pos, None, k, geometry=geometry), alone, 1e-12)
    inputs = [t.clone().requires_grad_() for t in (x, pos)]

    def run():
        out = mesh_conv(*inputs, None, first, batch, spacing=spacing)
        return [out, *torch.autograd.grad(out.square().sum(), [*inputs, *first.parameters()])]

    expected = run()
    for module, name, value in (
        (mesh_sum, "BOX_FLOATS", 1),
        (mesh_sum, "FFT_FLOATS", 1),
        (mesh_stencil, "BLOCK_ENTRIES", 100),
        (mesh_stencil, "KEPT_ENTRIES", 0),
        (mesh_geometry, "GROUP_CELLS", 1),
    ):
        monkeypatch.setattr(module, name, value)
        tol = 1e-4 if name == "GROUP_CELLS" else 1e-10  # clouds alone are padded less
        for actual, e in zip(run(), expected, strict=True):
            testing.assert_close(actual, e, tol)


def test_a_jump_is_not_refused_and_its_error_is_told():
    x, pos = cloud(200, 2)
    hard, tapered = (smooth(2, window=w, window_threshold=0.1) for w in ("gaussian", "tapered"))
    errors = [mesh_error(x, pos, None, k) for k in (hard, tapered)]
    assert errors[0] > 1e-2 > 1e-3 > errors[1]


def test_error_estimate_is_the_error():
    k = smooth(2)
    x, pos = cloud(50, 2)
    batch, weight = torch.arange(50) % 3, torch.rand(50, dtype=torch.float64)
    exact = plain_sum(x, pos, pos, k, batch, batch, weight)
    actual = relative(mesh_conv(x, pos, None, k, batch, weight=weight, order=3), exact)
    assert math.isclose(mesh_error(x, pos, None, k, batch, weight=weight, order=3), actual, rel_tol=0.05)


@pytest.mark.parametrize("dim", [1, 2])
def test_measured_band_is_the_spectrum(dim):
    """A Gaussian alone: its spectrum is Gaussian, erfc(2.751) = 1e-4 of the energy lies above 2.751 / width."""
    k = smooth(dim, window_init=0.2)
    with torch.no_grad():
        k.network.output.weight.zero_()
        k.network.output.bias.fill_(1.0)
    excess = measured_band(k) - 2.751 / 0.2
    assert ((excess >= 0) & (excess <= 1.5 * math.pi / k.support())).all()
    assert (kernel_band(k) <= stated_band(k)).all()
    assert measured_band(smooth(dim, window=None)).isinf().all()


def test_limits_are_named():
    x, pos = cloud(20, 2)
    k = smooth(2)
    band = kernel_band(k)
    with pytest.raises(
        ValueError, match=r"a spacing of 2, 2 carries .* 1.571, 1.571 rad .* expected .* at most"
    ):
        mesh_conv(x, pos, None, k, spacing=(2.0, 2.0))
    mesh_conv(x, pos, None, k, spacing=(math.pi / band).tolist())
    with pytest.raises(ValueError, match=r"MLPKernel states no highest frequency .* give a spacing"):
        mesh_conv(x, pos, None, smooth(2, kernel="mlp", window=None))
    mesh_conv(x, pos, None, smooth(2, kernel="mlp", window=None), spacing=(0.1, 0.1))
    with pytest.raises(ValueError, match=r"cells at spacing .* above the budget .* coarser spacing"):
        mesh_conv(x, pos * 1e6, None, k)
    with pytest.raises(ValueError, match="cloud 1 are not finite"):
        mesh_conv(
            x,
            torch.where(torch.arange(20).unsqueeze(1) == 10, math.nan, pos),
            None,
            k,
            torch.arange(20) // 10,
        )
    with pytest.raises(ValueError, match=r"expected x \[N, 3\], got \[20, 2\]"):
        mesh_conv(x[:, :2], pos, None, k)
    with pytest.raises(ValueError, match=r"expected x of 20 sources, got \[19, 3\]"):
        mesh_conv(x[:19], pos, None, k)
    with pytest.raises(ValueError, match=r"oversampling >= 1, got 0\.5"):
        mesh_conv(x, pos, None, k, oversampling=0.5)
    with pytest.raises(ValueError, match="order >= 2, got 1"):
        mesh_conv(x, pos, None, k, order=1)
    with pytest.raises(ValueError, match="expected 2 spacings"):
        MeshGeometry.build(pos, None, (0.1,), 4)


def test_a_kernel_too_large_to_render_is_named(monkeypatch):
    monkeypatch.setattr("ccnn_geo.functional.mesh_conv.MAX_TAP_FLOATS", 1000)
    x, pos = cloud(20, 2)
    with pytest.raises(
        ValueError, match=r"the kernel reaches \[\d+, \d+\] cells .* above the budget of 1000"
    ):
        mesh_conv(x, pos, None, smooth(2))
