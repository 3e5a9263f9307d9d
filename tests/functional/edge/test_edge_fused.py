"""The Triton programs of the edge convolution, in Triton's interpreter: against the torch path in double precision."""

import os
import subprocess
import sys

import pytest
import torch

from ccnn_geo.experiments.benchmarks.gpu_programs import PROGRAMS
from ccnn_geo.functional.edge import compiled
from ccnn_geo.functional.edge.compiled import native_edge_conv
from ccnn_geo.neighbors import Neighbors, build_neighbors
from tests.functional.edge.test_edge_compiled import compare, make, points, results
from tests.pairwise import pairwise

pytest.importorskip("triton", reason="Triton is for Linux")
launch = pytest.importorskip("ccnn_geo.functional.edge.fused.launch")


@pytest.fixture(autouse=True)
def interpreted(monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("programs are compiled here: tests that take a device run them")
    monkeypatch.setattr(compiled, "_calls", lambda x: launch)
    monkeypatch.setattr(compiled, "has_compiled", lambda device: True)
    monkeypatch.setattr(launch, "PROGRAMS", 3)


@pytest.mark.parametrize(
    *pairwise({"dim": [1, 2, 3], "hidden": [4, 12, 32], "layers": [1, 3, 4], "window": ["gaussian", None]})
)
def test_matches_torch_in_double_precision(dim, hidden, layers, window):
    x, pos = points(20, dim, 5)
    kernel = make(dim, 5, hidden, kernel_layers=layers, window=window, kernel_radius=0.7)
    compare(kernel, (x, pos, pos), build_neighbors(pos, num_neighbors=6))


@pytest.mark.parametrize(("channels", "hidden"), [(1, 8), (17, 8), (140, 32), (200, 64)])
def test_any_number_of_channels(channels, hidden):
    x, pos = points(10, 3, channels)
    compare(make(3, channels, hidden), (x, pos, pos), build_neighbors(pos, num_neighbors=None))


def test_lists_longer_than_a_block():
    x, pos = points(50, 2, 4)
    targets = torch.rand(3, 2)
    compare(
        make(2, 4, width=1.0), (x, pos, targets), build_neighbors(pos, pos_dst=targets, num_neighbors=None)
    )


def test_phases_of_thousands_and_far_points_are_exact():
    x, pos = points(12, 2, 4)
    kernel = make(2, 4, 8)
    for layer in kernel.network.filters:
        torch.nn.init.uniform_(layer.omega, -3000.0, 3000.0)
    compare(kernel, (x, pos + 10, pos + 10), build_neighbors(pos, num_neighbors=None), tol=1e-5)


def test_narrow_filters_far_from_the_origin_keep_their_envelopes():
    x, pos = points(12, 2, 4)
    kernel = make(2, 4, 8, width=1.0)
    for layer in kernel.network.filters:
        torch.nn.init.uniform_(layer.mu, -1.0, 1.0)
        torch.nn.init.uniform_(layer.gamma, 5.0, 30.0)
    compare(kernel, (x, pos, pos), build_neighbors(pos, num_neighbors=None), tol=1e-4)


@pytest.mark.parametrize(
    "limit", [{"causal": True}, {"kernel_domain": 0.3}, {"kernel": "gabor"}, {"kernel": "fourier"}]
)
def test_causal_kernels_domains_and_other_filters(limit):
    x, pos = points(20, 1, 3)
    compare(make(1, 3, **limit), (x, pos, pos), build_neighbors(pos, num_neighbors=8))


def test_other_targets_weights_ragged_lists_and_duplicates():
    x, pos = points(20, 2, 6)
    pos[10:15] = pos[:5]
    degree = torch.tensor([0, 3, 17, 1, 0, 9, 0])
    edges = torch.stack(
        [torch.randint(0, 20, (int(degree.sum()),)), torch.arange(7).repeat_interleave(degree)]
    )
    neighbors = Neighbors.from_edge_index(edges, 20, 7)
    compare(make(2, 6), (x, pos, torch.rand(7, 2), torch.rand(20)), neighbors)


@pytest.mark.parametrize("sources", [0, 1, 5])
def test_no_edges_and_one_point(sources):
    x, pos = points(sources, 3, 4)
    none = Neighbors.from_edge_index(torch.zeros(2, 0, dtype=torch.long), sources, 3)
    found = results(native_edge_conv, make(3, 4), (x, pos, torch.rand(3, 3)), none, torch.float32)
    assert all(t.abs().sum() == 0 for t in found)


def test_outside_the_support_nothing_is_summed():
    x, pos = points(9, 2, 4)
    loops = torch.arange(9).repeat(2, 1)
    far = Neighbors.from_edge_index(loops, 9, 9)
    found = results(native_edge_conv, make(2, 4), (x, pos, pos + 10), far, torch.float32)
    assert all(t.abs().sum() == 0 for t in found)


def test_gradients_are_made_where_they_are_wanted():
    x, pos = points(12, 2, 4)
    neighbors, kernel = build_neighbors(pos, num_neighbors=5), make(2, 4)
    whole = results(native_edge_conv, kernel, (x, pos, pos), neighbors, torch.float32)
    names = ["values", "x", "pos_src", "pos_dst", *(n for n, _ in kernel.named_parameters())]
    for name in ("x", "pos_src", "network.output.weight", "network.filters.0.omega"):
        leaves = {"x": x.clone(), "pos_src": pos.clone()} | dict(kernel.named_parameters())
        for leaf in leaves.values():
            leaf.requires_grad_(False)
        leaf = leaves[name].requires_grad_()
        out = native_edge_conv(leaves["x"], leaves["pos_src"], pos, neighbors, kernel)
        cotangent = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
        (found,) = torch.autograd.grad((out * cotangent).sum(), leaf)
        assert torch.equal(found, whole[names.index(name)]), name


def test_repeats_are_bitwise_equal():
    x, pos = points(20, 3, 5)
    neighbors, kernel = build_neighbors(pos, num_neighbors=9), make(3, 5)
    first, second = (
        results(native_edge_conv, kernel, (x, pos, pos), neighbors, torch.float32) for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_panels_cover_all_channels_and_waste_few():
    for padded in (16, 32, 64):
        for channels in range(1, 600):
            wide, narrow, number = launch.panels(channels, padded)
            covered = (wide + narrow) * number
            assert channels <= covered < channels + max(16, wide)
            assert padded * (wide + narrow) <= launch.PANEL_SUMS and wide + narrow <= launch.PANEL_CHANNELS
            assert all(n & (n - 1) == 0 for n in (wide, narrow))


@pytest.mark.parametrize("capability", [80, 90])
def test_programs_compile_for_gpus_and_keep_to_their_registers(capability):
    """In a process of its own: here the programs are interpreted."""
    code = (
        "from ccnn_geo.experiments.benchmarks.gpu_programs import PROGRAMS, compile_program\n"
        "for name, constants, launches in PROGRAMS.values():\n"
        f"    print(*compile_program(name, constants, {capability}))\n"
    )
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_DEFAULT_FP_FUSION": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    spills = [float(line.split()[3]) for line in done.stdout.splitlines()]
    assert len(spills) == len(PROGRAMS)
    for title, spilled in zip(PROGRAMS, spills, strict=True):  # of 500 to 1,300 instructions per edge
        assert spilled < (30 if "filters" not in title else 250), f"{title}: {spilled} spills per edge"
