"""The lattice path against a plain sum and the edge path, values and gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccnn_geo import SepFlexConv, testing
from ccnn_geo.functional.edge.conv import edge_conv
from ccnn_geo.functional.lattice.conv import lattice_conv, render, render_missing
from ccnn_geo.functional.lattice.offsets import LatticeOffsets, detect_spacing
from ccnn_geo.functional.representations import voxelize
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors import Neighbors, build_neighbors
from tests.pairwise import pairwise

SPACING = (0.25, 0.1, 0.2)


def lattice(n, dim, dtype, device, low=-4, high=5):
    step = torch.tensor(SPACING[:dim], dtype=torch.float64)
    return (torch.randint(low, high, (n, dim)) * step).to(device, dtype)


def layer(dim, dtype, device, channels=3, **kwargs):
    kwargs = {"kernel_hidden": 6, "omega_0": 1.0, "window_init": 0.4, **kwargs}
    return SepFlexConv(channels, channels, dim, num_taps=1, **kwargs).to(device, dtype)


def by_lattice(kernel, pos_src, pos_dst, neighbors, spacing, weight=None, chunk_edges=None):
    """The path as a layer takes it, a function of the features."""
    all_offsets = LatticeOffsets.build(pos_src, pos_dst, neighbors, spacing)

    def run(x):
        table, offsets = render(kernel, all_offsets)
        x = x if weight is None else x * weight.unsqueeze(1)
        return lattice_conv(x, table, offsets, chunk_edges)

    return run


@pytest.mark.parametrize(
    *pairwise({"window": [0.1, 0.4, 3.0, None], "dim": [1, 2, 3], "bipartite": [False, True]})
)
def test_matches_plain_sum(dim, bipartite, window, dtype, device):
    pos = lattice(40, dim, dtype, device)
    target = lattice(17, dim, dtype, device, -7, 2) if bipartite else pos
    kwargs = {"window": None} if window is None else {"window_init": window}
    conv = layer(dim, dtype, device, **kwargs)
    neighbors = build_neighbors(pos, num_neighbors=None, pos_dst=target if bipartite else None)
    testing.assert_same_function(
        by_lattice(conv.kernel, pos, target, neighbors, SPACING[:dim]),
        lambda x: testing.plain_sum(conv, x, pos, target),
        (torch.randn(40, 3, dtype=torch.float64).to(device, dtype),),
        list(conv.kernel.parameters()),
    )


@pytest.mark.parametrize("channels", [1, 5, 20])  # few and many channels add rows in different ways
@pytest.mark.parametrize("omega_0", [1.0, 50.0])
def test_matches_edges_on_voxels_of_a_ragged_batch(channels, omega_0, dtype, device):
    sizes = torch.tensor([160, 1, 30, 90])
    cloud = torch.nn.functional.normalize(torch.randn(int(sizes.sum()), 3, dtype=torch.float64), dim=-1)
    pos, _, batch = voxelize(cloud, 16, batch=torch.arange(4).repeat_interleave(sizes))
    pos, batch = pos.to(device, dtype), batch.to(device)
    conv = layer(3, dtype, device, channels, omega_0=omega_0)
    neighbors = build_neighbors(pos, batch, num_neighbors=24)
    weight = torch.rand(len(pos), dtype=dtype, device=device)
    x = torch.randn(len(pos), channels, dtype=dtype, device=device)
    spacing = detect_spacing(pos)
    assert spacing == (0.125,) * 3
    testing.assert_same_function(
        by_lattice(conv.kernel, pos, pos, neighbors, spacing, weight),
        lambda x: edge_conv(x, pos, pos, neighbors, conv.kernel, weight),
        (x,),
        list(conv.kernel.parameters()),
        tol=1e-9 if dtype == torch.float64 else 1e-4,
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 30),
    st.integers(0, 60),
    st.integers(1, 70),
    st.randoms(use_true_random=False),
)
def test_any_graph_and_any_chunk(dim, n, num_edges, chunk_edges, random):
    torch.manual_seed(random.randrange(1 << 30))
    pos, target = lattice(n, dim, torch.float64, "cpu"), lattice(7, dim, torch.float64, "cpu")
    edge_index = torch.tensor([[random.randrange(m) for _ in range(num_edges)] for m in (n, 7)])
    neighbors = Neighbors.from_edge_index(edge_index.view(2, -1).long(), n, 7)
    conv = layer(dim, torch.float64, "cpu", channels=16, window_init=0.5)
    testing.assert_same_function(
        by_lattice(conv.kernel, pos, target, neighbors, SPACING[:dim], chunk_edges=chunk_edges),
        lambda x: edge_conv(x, pos, target, neighbors, conv.kernel),
        (torch.randn(n, 16, dtype=torch.float64),),
        list(conv.kernel.parameters()),
        tol=1e-9,
    )


def test_causal_kernel_sees_the_past_alone(device):
    pos = lattice(30, 1, torch.float64, device)
    conv = layer(1, torch.float64, device, causal=True)
    neighbors = build_neighbors(pos, num_neighbors=None)
    all_offsets = LatticeOffsets.build(pos, pos, neighbors, SPACING[:1])
    assert render(conv.kernel, all_offsets)[1].codes.min() == 0
    testing.assert_same_function(
        by_lattice(conv.kernel, pos, pos, neighbors, SPACING[:1]),
        lambda x: testing.plain_sum(conv, x, pos, pos),
        (torch.randn(30, 3, dtype=torch.float64, device=device),),
        list(conv.kernel.parameters()),
    )


@pytest.mark.parametrize("channels", [2, 16])
def test_gradients_match_finite_differences(channels):
    pos = lattice(4, 2, torch.float64, "cpu")
    neighbors = build_neighbors(pos, num_neighbors=3)
    offsets = LatticeOffsets.build(pos, pos, neighbors, SPACING[:2])
    x = torch.randn(4, channels, dtype=torch.float64, requires_grad=True)
    table = torch.randn(offsets.num_offsets, channels, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, t: lattice_conv(x, t, offsets, 5), (x, table))
    for constant in (0, 1):
        inputs = [x, table]
        inputs[constant] = inputs[constant].detach()
        assert torch.autograd.gradcheck(lambda x, t: lattice_conv(x, t, offsets, 5), inputs)


def test_blocks_see_the_parameters_of_a_functional_call(monkeypatch, device):
    monkeypatch.setattr("ccnn_geo.functional.lattice.conv.BLOCK_OFFSETS", 7)
    pos = lattice(40, 2, torch.float64, device)
    offsets = LatticeOffsets.build(pos, pos, build_neighbors(pos, num_neighbors=None), SPACING[:2])
    kernel = ContinuousKernel(2, 3, window_init=0.4).to(device, torch.float64)
    names, values = zip(*kernel.named_parameters(), strict=True)
    others = [(v + 0.01 * torch.randn_like(v)).detach() for v in values]

    class Rendered(torch.nn.Module):
        def __init__(self, by_blocks):
            super().__init__()
            self.kernel, self.by_blocks = kernel, by_blocks

        def forward(self):
            if self.by_blocks:
                table, kept = render(self.kernel, offsets)
                return table.new_zeros(offsets.num_offsets, 3).index_put(
                    (torch.isin(offsets.keys, kept.keys).nonzero().squeeze(1),), table
                )
            return self.kernel(offsets.rel)

    def call(by_blocks):
        def run(*params):
            named = {f"kernel.{n}": p for n, p in zip(names, params, strict=True)}
            return torch.func.functional_call(Rendered(by_blocks), named, ())

        return run

    testing.assert_same_function(call(True), call(False), others)


def test_second_derivatives_raise():
    pos = lattice(6, 2, torch.float64, "cpu")
    conv = layer(2, torch.float64, "cpu")
    run = by_lattice(conv.kernel, pos, pos, build_neighbors(pos, num_neighbors=None), SPACING[:2])
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(run(x).square().sum(), x, create_graph=True)


def test_no_edges_and_nothing_in_the_support(device):
    kernel = ContinuousKernel(2, 3, window_init=1e-3).to(device)
    pos = torch.tensor([[0.0, 0.0], [1.0, 0.0]], device=device)
    x = torch.randn(2, 3, device=device, requires_grad=True)
    across = torch.tensor([[0, 1], [1, 0]], device=device)
    for edges in (across, across[:, :0]):
        run = by_lattice(kernel, pos, pos, Neighbors.from_edge_index(edges, 2, 2), (1.0, 1.0))
        out = run(x)
        assert torch.equal(out, torch.zeros_like(out))
        (grad,) = torch.autograd.grad(out.sum(), x)
        assert torch.equal(grad, torch.zeros_like(x))


def test_known_rows_are_not_rendered_again(device):
    kernel = ContinuousKernel(2, 3, window_init=0.4).to(device, torch.float64)
    keys = torch.empty(0, dtype=torch.long, device=device)
    rows = torch.empty(0, 3, dtype=torch.float64, device=device)
    for n in (20, 30, 5):
        pos = lattice(n, 2, torch.float64, device)
        offsets = LatticeOffsets.build(pos, pos, build_neighbors(pos, num_neighbors=4), SPACING[:2])
        rows = rows + 1  # tells rows that were known
        known = torch.isin(offsets.keys, keys)
        age = rows[torch.searchsorted(keys, offsets.keys[known])] - kernel(offsets.rel[known])
        table, keys, rows = render_missing(kernel, offsets, keys, rows)
        testing.assert_close(table[known] - age, kernel(offsets.rel[known]))
        testing.assert_close(table[~known], kernel(offsets.rel[~known]))
        assert (keys.diff() > 0).all() and len(keys) == len(rows)
        again = render_missing(kernel, offsets, keys, rows)
        assert again[1] is keys and again[2] is rows and torch.equal(again[0], table)


def test_wrong_shapes_are_named(device):
    pos = lattice(6, 1, torch.float64, device)
    offsets = LatticeOffsets.build(pos, pos, build_neighbors(pos, num_neighbors=None), SPACING[:1])
    n = offsets.num_offsets
    with pytest.raises(ValueError, match=r"expected x \[6, C\], got \[5, 2\]"):
        lattice_conv(torch.zeros(5, 2), torch.zeros(n, 2), offsets)
    with pytest.raises(ValueError, match=rf"expected a table \[{n}, 2\], got \[{n}, 3\]"):
        lattice_conv(torch.zeros(6, 2), torch.zeros(n, 3), offsets)
