"""The Triton program of the convolution on lattices, in Triton's interpreter: against sums in double precision."""

import pytest
import torch

from ccnn_geo.functional.lattice import conv as lattice
from ccnn_geo.functional.lattice.conv import lattice_conv
from ccnn_geo.functional.lattice.offsets import LatticeOffsets
from ccnn_geo.neighbors import Neighbors, build_neighbors

pytest.importorskip("triton", reason="Triton is for Linux")
if torch.cuda.is_available():
    pytest.skip("programs are compiled here: tests that take a device run them", allow_module_level=True)


@pytest.fixture(autouse=True)
def fused(monkeypatch):
    monkeypatch.setattr(lattice, "is_fused", lambda *tensors: all(t.dtype == torch.float32 for t in tensors))


def setting(n=30, num_neighbors=12):
    pos = torch.randint(0, 5, (n, 2)).float()
    return LatticeOffsets.build(pos, pos, build_neighbors(pos, num_neighbors=num_neighbors), (1.0, 1.0))


def compare(offsets, channels=5):
    x, table = torch.randn(offsets.num_src, channels), torch.randn(offsets.num_offsets, channels)
    cotangent, results = torch.randn(offsets.num_dst, channels), []
    index, src, dst = (t.long() for t in offsets.runs.edges)
    for dtype in (torch.float32, torch.float64):
        leaves = [t.to(dtype, copy=True).requires_grad_() for t in (x, table)]
        if dtype is torch.float32:
            out = lattice_conv(*leaves, offsets)
        else:
            products = leaves[1][index] * leaves[0][src]
            out = products.new_zeros(offsets.num_dst, channels).index_add(0, dst, products)
        results.append([out, *torch.autograd.grad(out, leaves, cotangent.to(dtype))])
    for actual, expected in zip(*results, strict=True):
        assert actual.dtype == torch.float32 and actual.shape == expected.shape
        torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 16, 37, 140])
def test_matches_the_plain_sum(channels):
    compare(setting(), channels)


@pytest.mark.parametrize("times", [1, 2])
def test_offsets_outside_of_the_support_are_left_out(times):
    offsets = setting()
    for _ in range(times):
        offsets = offsets.only(torch.rand(offsets.num_offsets) < 0.6)
    compare(offsets)


def test_no_offset_is_left():
    offsets = setting()
    compare(offsets.only(torch.zeros(offsets.num_offsets, dtype=torch.bool)))


def test_other_targets_ragged_lists_and_rows_without_edges():
    degree = torch.tensor([0, 3, 20, 1, 0, 9])
    edges = torch.stack(
        [torch.randint(0, 15, (int(degree.sum()),)), torch.arange(6).repeat_interleave(degree)]
    )
    src, dst = torch.randint(0, 4, (15, 2)).float(), torch.randint(0, 4, (6, 2)).float()
    neighbors = Neighbors.from_edge_index(edges, 15, 6)
    compare(LatticeOffsets.build(src, dst, neighbors, (1.0, 1.0)))


def test_edges_are_sorted_once_for_all_kernels():
    offsets = setting()
    some = offsets.only(torch.rand(offsets.num_offsets) < 0.6)
    first, second = offsets.lists()[0], some.lists()[0]
    assert all(a is b for a, b in zip(first, second, strict=True))


def test_second_derivatives_are_refused():
    offsets = setting()
    x, table = torch.randn(offsets.num_src, 3, requires_grad=True), torch.randn(offsets.num_offsets, 3)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(lattice_conv(x, table, offsets).sum(), x, create_graph=True)
