"""The compiled edge convolution: against the torch path in double precision."""

import copy
import sys

import pytest
import torch

from ccnn_geo._base.native import build
from ccnn_geo._base.native.build import native_status
from ccnn_geo.functional.edge import compiled_call as edge_magnet_call
from ccnn_geo.functional.edge.compiled import native_edge_conv
from ccnn_geo.functional.edge.conv import edge_conv
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors import Neighbors, build_neighbors
from tests.other_processors import run_on_other_processors
from tests.pairwise import pairwise

HAVE = build.native_function("edge_magnet") is not None

needs_native = pytest.mark.skipif(not HAVE, reason=native_status())


@pytest.fixture(autouse=True)
def many_threads_for_few_edges(monkeypatch):
    monkeypatch.setattr(build, "THREAD_EDGES", 50)


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def make(dim=3, channels=5, hidden=8, omega_0=1.0, width=0.5, **kwargs):
    kernel = ContinuousKernel(
        dim, channels, kernel_hidden=hidden, omega_0=omega_0, window_init=width, **kwargs
    )
    if hasattr(kernel.network, "filters"):
        for layer in kernel.network.filters:  # at phase 0 the kernel at offset 0 is 0
            torch.nn.init.uniform_(layer.phi, -1.0, 1.0)
    return kernel


def points(n, dim, channels):
    return torch.randn(n, channels), torch.rand(n, dim) * 2 - 1


def results(function, kernel, tensors, neighbors, dtype):
    kernel = copy.deepcopy(kernel).to(dtype)
    leaves = [t.to(dtype, copy=True).requires_grad_() for t in tensors]
    out = function(*leaves[:3], neighbors, kernel, *leaves[3:])
    cotangent = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    wanted = [*leaves, *kernel.parameters()]
    return [out.detach(), *torch.autograd.grad((out * cotangent.to(dtype)).sum(), wanted)]


def compare(kernel, tensors, neighbors, tol=1e-5):
    actual = results(native_edge_conv, kernel, tensors, neighbors, torch.float32)
    expected = results(edge_conv, kernel, tensors, neighbors, torch.float64)
    names = ["values", "x", "pos_src", "pos_dst", "weight"][: 1 + len(tensors)]
    names += [name for name, _ in kernel.named_parameters()]
    for name, a, e in zip(names, actual, expected, strict=True):
        assert a.shape == e.shape and a.dtype == torch.float32
        # the window's is a sum over all filters in which most cancels: torch's own is off by more
        allowed = 10 * tol if name.startswith("window") else tol
        error = ((a - e).norm() / e.norm().clamp(min=1e-30)).item()
        assert error <= allowed, f"{name}: relative error {error:.2g}"


@needs_native
@pytest.mark.parametrize(
    *pairwise({"hidden": [4, 8, 12, 32, 64], "dim": [1, 2, 3], "threads": [1, 2]}), indirect=["threads"]
)
def test_matches_torch_in_double_precision(dim, hidden, threads):
    x, pos = points(60, dim, 5)
    compare(make(dim, 5, hidden), (x, pos, pos), build_neighbors(pos, num_neighbors=20))


@needs_native
@pytest.mark.parametrize(
    *pairwise({"channels": [1, 3, 16, 17, 140], "neighbors": [1, 3, None], "threads": [1, 2]}),
    indirect=["threads"],
)
def test_any_number_of_channels_and_neighbours(channels, neighbors, threads):
    x, pos = points(70, 3, channels)
    compare(make(3, channels), (x, pos, pos), build_neighbors(pos, num_neighbors=neighbors))


@needs_native
@pytest.mark.parametrize("width", [0.075, 0.5])
def test_fast_waves_keep_their_phases(width, threads):
    x, pos = points(150, 3, 16)
    kernel = make(3, 16, 32, omega_0=50.0, width=width)
    compare(kernel, (x, pos, pos), build_neighbors(pos, num_neighbors=32), tol=1e-4)


@needs_native
def test_phases_of_thousands_and_far_points_are_exact():
    """Offsets of points far from the origin, with frequencies at which a float's rounding would show."""
    x, pos = points(80, 2, 4)
    kernel = make(2, 4, 8)
    for layer in kernel.network.filters:
        torch.nn.init.uniform_(layer.omega, -3000.0, 3000.0)
    compare(kernel, (x, pos, pos), build_neighbors(pos, num_neighbors=None), tol=1e-5)
    compare(kernel, (x, pos + 10, pos + 10), build_neighbors(pos, num_neighbors=None), tol=1e-5)


@needs_native
def test_narrow_filters_far_from_the_origin_keep_their_envelopes():
    x, pos = points(80, 2, 4)
    kernel = make(2, 4, 8, width=1.0)
    for layer in kernel.network.filters:
        torch.nn.init.uniform_(layer.mu, -1.0, 1.0)
        torch.nn.init.uniform_(layer.gamma, 5.0, 30.0)
    compare(kernel, (x, pos, pos), build_neighbors(pos, num_neighbors=None), tol=1e-4)


@needs_native
@pytest.mark.parametrize("layers", [1, 2, 4])
@pytest.mark.parametrize("window", ["gaussian", None])
def test_any_depth_with_and_without_window(layers, window):
    x, pos = points(40, 2, 3)
    kernel = make(2, 3, kernel_layers=layers, window=window, kernel_radius=0.7)
    compare(kernel, (x, pos, pos), build_neighbors(pos, num_neighbors=9))


@needs_native
@pytest.mark.parametrize("low_pass", [0.0, 0.1])
@pytest.mark.parametrize("kernel", ["gabor", "fourier"])
def test_other_filters(kernel, low_pass):
    x, pos = points(60, 3, 5)
    compare(
        make(3, 5, kernel=kernel, low_pass=low_pass), (x, pos, pos), build_neighbors(pos, num_neighbors=20)
    )


@needs_native
def test_causal_kernels_and_domains_drop_edges():
    x, pos = points(60, 1, 3)
    for kwargs in ({"causal": True}, {"kernel_domain": 0.3}):
        compare(make(1, 3, **kwargs), (x, pos, pos), build_neighbors(pos, num_neighbors=None))


@needs_native
def test_other_targets_weights_ragged_degrees_and_duplicates(threads):
    x, pos = points(50, 2, 6)
    pos[10:20] = pos[:10]
    targets = torch.rand(31, 2)
    degree = torch.randint(0, 12, (31,))
    degree[[0, 7, 30]] = 0
    edges = torch.stack(
        [torch.randint(0, 50, (int(degree.sum()),)), torch.arange(31).repeat_interleave(degree)]
    )
    neighbors = Neighbors.from_edge_index(edges, 50, 31)
    compare(make(2, 6), (x, pos, targets, torch.rand(50)), neighbors)


@needs_native
@pytest.mark.parametrize("sources", [0, 1, 7])
def test_no_edges_and_one_point(sources):
    x, pos = points(sources, 3, 4)
    kernel = make(3, 4)
    none = Neighbors.from_edge_index(torch.zeros(2, 0, dtype=torch.long), sources, 5)
    assert torch.equal(native_edge_conv(x, pos, torch.rand(5, 3), none, kernel), torch.zeros(5, 4))
    if sources > 0:
        compare(kernel, (x, pos, pos), build_neighbors(pos, num_neighbors=1))


@needs_native
def test_outside_the_support_nothing_is_summed():
    x, pos = points(20, 2, 4)
    loops = torch.arange(20).repeat(2, 1)
    out = native_edge_conv(x, pos, pos + 10, Neighbors.from_edge_index(loops, 20, 20), make(2, 4))
    assert out.abs().max() == 0


@needs_native
def test_repeats_are_bitwise_equal(threads):
    x, pos = points(400, 3, 20)
    neighbors, kernel = build_neighbors(pos, num_neighbors=30), make(3, 20, 16)
    first, second = (
        results(native_edge_conv, kernel, (x, pos, pos), neighbors, torch.float32) for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@needs_native
def test_little_memory_takes_fewer_threads(monkeypatch):
    x, pos = points(100, 2, 4)
    monkeypatch.setattr(edge_magnet_call, "SUMS", -x.numel())
    torch.set_num_threads(2)
    compare(make(2, 4), (x, pos, pos), build_neighbors(pos, num_neighbors=9))


@needs_native
def test_a_broken_point_stays_alone():
    x, pos = points(30, 2, 5)
    kernel, neighbors = make(2, 5), Neighbors.from_edge_index(torch.arange(30).repeat(2, 1), 30, 30)
    expected = results(native_edge_conv, kernel, (x, pos, pos), neighbors, torch.float32)
    x[3] = torch.nan
    actual = results(native_edge_conv, kernel, (x, pos, pos), neighbors, torch.float32)
    others = torch.arange(30) != 3
    for a, e in zip(actual[:2], expected[:2], strict=True):  # values, and the features' gradient
        assert torch.equal(a[others], e[others])
    assert actual[0][3].isnan().all()


@needs_native
def test_views_and_parts_of_gradients():
    x, pos = points(40, 2, 8)
    neighbors, kernel = build_neighbors(pos, num_neighbors=9), make(2, 4)
    leaf = x.requires_grad_()
    out = native_edge_conv(leaf[:, ::2], pos, pos, neighbors, kernel.requires_grad_(False))
    expected = native_edge_conv(x.detach()[:, ::2].contiguous(), pos, pos, neighbors, kernel)
    assert torch.equal(out, expected)
    out.sum().backward()
    assert leaf.grad[:, 1::2].abs().max() == 0 and leaf.grad[:, ::2].abs().min() > 0
    assert all(p.grad is None for p in kernel.parameters())


@needs_native
def test_second_derivatives_are_refused():
    x, pos = points(10, 2, 4)
    out = native_edge_conv(x.requires_grad_(), pos, pos, build_neighbors(pos, num_neighbors=3), make(2, 4))
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(out.sum(), x, create_graph=True)


def test_what_it_does_not_cover_is_left_to_torch():
    x, pos = points(10, 2, 4)
    neighbors = build_neighbors(pos, num_neighbors=3)

    def run(kernel, x=x, pos=pos):
        return native_edge_conv(x, pos, pos, neighbors, kernel)

    assert run(make(2, 4).double(), x.double(), pos.double()) is None
    assert run(make(2, 4, window="tapered")) is None
    assert run(make(2, 4, kernel="siren")) is None
    assert run(make(2, 4, hidden=6)) is None
    assert run(make(2, 4, hidden=68)) is None
    assert run(make(2, 4, kernel_layers=5)) is None
    assert run(make(2, 12)) is None  # a matrix per edge
    four = torch.rand(10, 4)
    assert native_edge_conv(x, four, four, build_neighbors(four, num_neighbors=3), make(4, 4)) is None


def test_it_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("CCNN_GEO_NATIVE", "0")
    x, pos = points(10, 2, 4)
    assert native_edge_conv(x, pos, pos, build_neighbors(pos, num_neighbors=3), make(2, 4)) is None
    assert "CCNN_GEO_NATIVE=0" in native_status()


@needs_native
def test_narrower_vectors_give_the_same(tmp_path):
    from tests.functional.lattice import test_native_lattice

    def check():
        x, pos = points(60, 3, 5)
        compare(make(3, 5, 8, omega_0=20.0), (x, pos, pos), build_neighbors(pos, num_neighbors=20))
        for channels in (5, 37, 140):
            test_native_lattice.compare(60, channels)

    # -O2 takes half as long to compile as -O3, with which this processor's are
    flags = ("-mno-avx512f -O2", "-mno-avx -O2")
    run_on_other_processors(check, ["edge_magnet", "lattice_conv"], tmp_path, flags)


class Convolved(torch.utils.data.Dataset):
    def __init__(self, kernel, x, pos, neighbors):
        self.args = (x, pos, pos, neighbors, kernel)

    def __len__(self):
        return 2

    def __getitem__(self, index):
        with torch.no_grad():
            return native_edge_conv(*self.args)


@needs_native
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_forked_workers_do_not_hang():
    x, pos = points(200, 2, 4)
    data = Convolved(make(2, 4), x, pos, build_neighbors(pos, num_neighbors=9))
    torch.set_num_threads(2)
    expected = data[0]
    loader = torch.utils.data.DataLoader(data, num_workers=2, timeout=60, multiprocessing_context="fork")
    for batch in loader:
        torch.testing.assert_close(batch[0], expected)
