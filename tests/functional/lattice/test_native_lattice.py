"""The compiled convolution on a lattice, and kernels rendered by compiled code, against sums in double precision."""

import pytest
import torch

from ccnn_geo._base.native import build
from ccnn_geo.functional.edge.compiled import native_kernel
from ccnn_geo.functional.lattice import compiled as native_module
from ccnn_geo.functional.lattice import runs
from ccnn_geo.functional.lattice.conv import lattice_conv
from ccnn_geo.functional.lattice.offsets import LatticeOffsets
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors import Neighbors, build_neighbors

pytestmark = pytest.mark.skipif(
    build.native_function("lattice_conv") is None, reason=build.native_status("lattice_conv")
)


@pytest.fixture(autouse=True)
def many_threads_for_few_edges(monkeypatch):
    monkeypatch.setattr(build, "THREAD_EDGES", 50)


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def setting(n, channels, num_neighbors=12):
    pos = torch.randint(0, 9, (n, 2)).float()
    offsets = LatticeOffsets.build(pos, pos, build_neighbors(pos, num_neighbors=num_neighbors), (1.0, 1.0))
    return torch.randn(n, channels), torch.randn(offsets.num_offsets, channels), offsets


def plain(x, table, offsets):
    index, src, dst = (t.long() for t in offsets.runs.edges)
    out = torch.zeros(offsets.num_dst, x.size(1), dtype=x.dtype)
    return out.index_add(0, dst, table[index] * x[src])


def compare(n, channels, **kwargs):
    x, table, offsets = setting(n, channels, **kwargs)
    cotangent = torch.randn(n, channels)
    results = []
    for function, dtype in ((lattice_conv, torch.float32), (plain, torch.float64)):
        leaves = [t.to(dtype, copy=True).requires_grad_() for t in (x, table)]
        out = function(*leaves, offsets)
        results.append([out, *torch.autograd.grad(out, leaves, cotangent.to(dtype))])
    for actual, expected in zip(*results, strict=True):
        assert actual.dtype == torch.float32 and actual.is_contiguous()
        torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 5, 16, 17, 80, 81, 140, 161])
@pytest.mark.parametrize("block", [7, 2048])
def test_matches_the_plain_sum(channels, block, threads, monkeypatch):
    monkeypatch.setattr(runs, "BLOCK_TARGETS", block)
    compare(60, channels)


def test_is_what_runs(monkeypatch):
    x, table, offsets = setting(20, 3)
    calls = []
    monkeypatch.setattr(native_module, "_call", lambda *args, **kwargs: calls.append(kwargs))
    lattice_conv(x, table, offsets)
    lattice_conv(x, table, offsets, chunk_edges=5)
    lattice_conv(x.double(), table.double(), offsets)
    assert len(calls) == 1


def test_repeats_are_bitwise_equal(threads):
    x, table, offsets = setting(200, 40)
    assert torch.equal(lattice_conv(x, table, offsets), lattice_conv(x, table, offsets))


def test_parts_of_gradients_and_views():
    x, table, offsets = setting(30, 6)
    for constant in (0, 1):
        leaves = [x.clone(), table.clone()]
        leaves[1 - constant].requires_grad_()
        (grad,) = torch.autograd.grad(lattice_conv(*leaves, offsets).sum(), leaves[1 - constant])
        both = [x.clone().requires_grad_(), table.clone().requires_grad_()]
        expected = torch.autograd.grad(plain(*both, offsets).sum(), both)[1 - constant]
        torch.testing.assert_close(grad, expected)
    wide = torch.randn(30, 12)
    torch.testing.assert_close(
        lattice_conv(wide[:, ::2], table, offsets), plain(wide[:, ::2], table, offsets)
    )


def test_a_broken_point_stays_alone():
    x, table, offsets = setting(40, 5)
    expected = lattice_conv(x, table, offsets)
    x[3] = torch.nan
    out = lattice_conv(x, table, offsets)
    _, src, dst = (t.long() for t in offsets.runs.edges)
    seen = torch.zeros(40, dtype=torch.bool).index_fill(0, dst[src == 3], True)
    assert out[seen].isnan().all() and torch.equal(out[~seen], expected[~seen])


def test_second_derivatives_are_refused():
    x, table, offsets = setting(10, 2)
    out = lattice_conv(x.requires_grad_(), table, offsets)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(out.sum(), x, create_graph=True)


def test_more_targets_than_edges():
    pos = torch.arange(50.0).unsqueeze(1)
    edges = Neighbors.from_edge_index(torch.tensor([[3, 4], [40, 2]]), 50, 50)
    offsets = LatticeOffsets.build(pos, pos, edges, (1.0,))
    x, table = torch.randn(50, 4), torch.randn(2, 4)
    torch.testing.assert_close(lattice_conv(x, table, offsets), plain(x, table, offsets))


@pytest.mark.parametrize("window", ["gaussian", None])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_rendered_kernels_are_the_definition(dim, window, threads):
    kernel = ContinuousKernel(
        dim, 7, kernel_hidden=8, omega_0=5.0, window=window, window_init=0.4, causal=dim == 1
    )
    for layer in kernel.network.filters:  # at phase 0 the kernel at offset 0 is 0
        torch.nn.init.uniform_(layer.phi, -1.0, 1.0)
    rel = torch.rand(200, dim) * 3 - 1.5
    rel[0] = 0
    cotangent = torch.randn(200, 7)
    out = native_kernel(kernel, rel)
    grads = torch.autograd.grad(out, list(kernel.parameters()), cotangent)
    kernel = kernel.double()
    expected = kernel.definition(rel.double())
    torch.testing.assert_close(out.double(), expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(out == 0, expected == 0)
    for actual, e in zip(
        grads, torch.autograd.grad(expected, list(kernel.parameters()), cotangent.double()), strict=True
    ):
        assert (actual - e).norm() <= 1e-4 * e.norm()


def test_second_derivatives_of_rendered_kernels_are_those_of_the_formula():
    kernel = ContinuousKernel(2, 5, kernel_hidden=8, omega_0=3.0, window_init=0.4)
    rel = torch.rand(60, 2) * 2 - 1
    cotangent = torch.randn(60, 5)

    def second(values, kernel, dtype):
        params = list(kernel.parameters())
        out = values(kernel, rel.to(dtype))
        first = torch.autograd.grad((out * cotangent.to(dtype)).sum(), params, create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in first), params)

    actual = second(native_kernel, kernel, torch.float32)
    kernel = kernel.double()
    for a, e in zip(actual, second(lambda k, r: k.definition(r), kernel, torch.float64), strict=True):
        assert (a - e).norm() <= 1e-3 * e.norm().clamp(min=1e-6)
