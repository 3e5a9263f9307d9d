"""The mesh path: values and gradients against the plain sum in float64, convergence, ragged batches."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccnn_geo import testing
from ccnn_geo.functional.edge.conv import edge_conv
from ccnn_geo.functional.mesh.band import mesh_spacing
from ccnn_geo.functional.mesh.conv import mesh_conv, mesh_error
from ccnn_geo.kernels import KERNELS
from ccnn_geo.neighbors import build_neighbors
from tests.functional.mesh.mesh_problems import CHANNELS, cloud, plain_sum, relative, smooth
from tests.pairwise import pairwise


@pytest.mark.parametrize(
    *pairwise(
        {
            "dim": [1, 2, 3],
            "kernel": ["fourier", "magnet"],
            "order, oversampling, tol": [(6, 2.0, 1e-2), (8, 3.0, 1e-3)],
            "dtype": [torch.float64, torch.float32],
        }
    )
)
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
    k = smooth(2, kernel=kernel, window="tapered", window_threshold=0.1, kernel_hidden=16, kernel_layers=3)
    x, pos = cloud(150, 2)
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


@pytest.mark.parametrize(("dim", "order"), [(1, 3), (2, 4), (3, 3)])
def test_gradients_match_finite_differences(dim, order):
    k = smooth(dim, kernel_hidden=2, kernel_layers=1)
    spacing = mesh_spacing(k, 1.0)
    (x, pos_src), (_, pos_dst) = cloud(4, dim), cloud(3, dim)
    batch_src, batch_dst = torch.tensor([0, 0, 2, 3]), torch.tensor([0, 3, 3])
    weight = torch.rand(4, dtype=torch.float64)
    leaves = [t.requires_grad_() for t in (x, pos_src / 2, pos_dst * 0.75, weight)]  # on a small lattice
    assert torch.autograd.gradcheck(
        lambda x, p, q, w, *_: mesh_conv(
            x, p, q, k, batch_src, batch_dst, 5, spacing=spacing, order=order, weight=w
        ),
        (*leaves, *k.parameters()),
    )
    assert torch.autograd.gradcheck(
        lambda x, p: mesh_conv(x, p, None, k, batch_src, spacing=spacing, order=order), leaves[:2]
    )


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
