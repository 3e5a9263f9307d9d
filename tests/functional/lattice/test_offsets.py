"""Which clouds count as a lattice, and whether the distinct offsets are those of the edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccnn_geo.functional.lattice import runs
from ccnn_geo.functional.lattice.offsets import LatticeOffsets, detect_spacing
from ccnn_geo.functional.representations import grid_positions, voxelize
from ccnn_geo.neighbors import Neighbors, build_neighbors, knn_graph


@pytest.fixture(params=["0", "1"], ids=["torch", "compiled"])
def native(request, monkeypatch):
    monkeypatch.setenv("CCNN_GEO_NATIVE", request.param)


def sphere_voxels(n=4000, size=40, dtype=torch.float32):
    return voxelize(torch.nn.functional.normalize(torch.randn(n, 3, dtype=dtype), dim=-1), size)[0]


def offsets_of(pos, spacing, pos_dst=None, **kwargs):
    neighbors = build_neighbors(pos, pos_dst=pos_dst, num_neighbors=kwargs.pop("num_neighbors", None))
    return LatticeOffsets.build(
        pos, pos if pos_dst is None else pos_dst, neighbors, spacing, **kwargs
    ), neighbors


def test_voxels_have_the_spacing_of_their_bins(dtype, device):
    assert detect_spacing(sphere_voxels(dtype=dtype).to(device)) == (0.05,) * 3
    pos = (torch.arange(40, dtype=dtype, device=device) - 19.5) * 0.05
    assert detect_spacing(pos.flip(0).unsqueeze(1)) == (0.05,)


@pytest.mark.parametrize("size", [(40,), (33, 7), (6, 5, 4), (1, 5), (3001,)])
def test_grids_have_their_spacing(size, dtype, device):
    pos = grid_positions(size, dtype=dtype, device=device)
    found = detect_spacing(pos[torch.randperm(len(pos), device=device)])
    expected = 2 / (max(size) - 1)
    assert found == pytest.approx([expected if n > 1 else 1.0 for n in size], rel=1e-5)


def test_axes_may_differ_coincide_and_repeat(dtype, device):
    pos = torch.tensor([[0.0, 2, 1], [3, 2, 1.25], [1, 2, 9], [1, 2, 9]], dtype=dtype, device=device)
    assert detect_spacing(pos) == (1.0, 1.0, 0.25)
    assert detect_spacing(pos[:1]) == (1.0, 1.0, 1.0)
    assert detect_spacing(pos[:0]) is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_no_lattice(value, device):
    assert detect_spacing(torch.tensor([[0.0], [1.0], [value]], device=device)) is None


def test_other_clouds_are_no_lattice(dtype, device):
    assert detect_spacing(torch.rand(500, 3, dtype=dtype, device=device)) is None
    voxels = sphere_voxels(dtype=dtype).to(device)
    turned = voxels @ torch.linalg.qr(torch.randn(3, 3, dtype=dtype)).Q.to(device)
    assert detect_spacing(turned) is None
    voxels[-1, 1] += 1e-4  # beyond the points that are looked at first
    assert detect_spacing(voxels) is None


def test_few_steps_are_asked_for(device):
    pos = torch.arange(2000, dtype=torch.float64, device=device).unsqueeze(1)
    assert detect_spacing(pos, max_steps=1999) == (1.0,)
    assert detect_spacing(pos, max_steps=1998) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=400),
    st.floats(1e-3, 1e3),
    st.floats(-50, 50),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_any_lattice_is_found(steps, h, origin, dtype):
    steps = torch.tensor([*steps, 0, 1])  # two neighbours tell the spacing
    pos = ((steps.to(dtype) + origin) * h).unsqueeze(1)
    (found,) = detect_spacing(pos)
    assert found == pytest.approx(h, rel=1e-4 if dtype == torch.float32 else 1e-11)
    offsets, _ = offsets_of(pos, (found,))
    assert torch.equal(offsets.codes.unique(), (steps.unsqueeze(1) - steps).unique())


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("bipartite", [False, True])
def test_offsets_are_those_of_the_edges(dim, bipartite, dtype, device, native):
    spacing = (0.5, 0.1, 2.0)[:dim]
    step = torch.tensor(spacing, dtype=torch.float64)
    cells = torch.randint(-9, 9, (50, dim))
    pos = (cells * step + 3.3).to(device, dtype)
    pos_dst = (torch.randint(-20, 5, (20, dim)) * step + 3.3).to(device, dtype) if bipartite else None
    offsets, neighbors = offsets_of(pos, spacing, pos_dst, num_neighbors=9)
    target = pos if pos_dst is None else pos_dst
    index, src, dst = (t.long() for t in offsets.runs.edges)
    rel = (target[dst].double() - pos[src].double()).cpu()
    assert (offsets.rel.cpu()[index.cpu()] - rel).abs().max() < (1e-6 if dtype == torch.float32 else 1e-14)
    expected = (rel / step).round().long().unique(dim=0)
    assert torch.equal(offsets.codes.cpu(), expected)
    assert offsets.rel.dtype == dtype and offsets.num_offsets == len(expected)
    by_target = torch.stack([dst, src]).cpu().unique(dim=1)
    assert torch.equal(by_target, neighbors.edge_index.flip(0).cpu().unique(dim=1))
    assert offsets.num_edges == neighbors.num_edges


def test_runs_are_of_one_offset_and_one_block(device, native, monkeypatch):
    monkeypatch.setattr(runs, "BLOCK_TARGETS", 7)
    pos = grid_positions((5, 6), device=device)[torch.randperm(30)]
    offsets, _ = offsets_of(pos, detect_spacing(pos), num_neighbors=11)
    r = offsets.runs
    assert r.begin[0] == 0 and torch.equal(r.begin[1:], r.end[:-1]) and r.end[-1] == r.src.numel() == 330
    assert (r.end > r.begin).all()
    run = torch.arange(len(r.offset), device=device).repeat_interleave(r.end - r.begin)
    block = r.dst // 7
    order = torch.stack([block, r.offset[run], r.dst], dim=1).tolist()
    assert order == sorted(order)
    assert len(r.offset) == len({tuple(o[:2]) for o in order})


def test_compiled_grouping_is_that_of_torch(monkeypatch):
    pos = grid_positions((9, 6, 4))[torch.randperm(216)]
    targets = pos[torch.randperm(216)[:100]] + 1.0
    for pos_dst in (None, targets):
        both = []
        for native in ("1", "0"):
            monkeypatch.setenv("CCNN_GEO_NATIVE", native)
            both.append(offsets_of(pos, (2 / 8, 2 / 8, 2 / 8), pos_dst, num_neighbors=20)[0])
        compiled, plain = both
        assert torch.equal(compiled.codes, plain.codes) and torch.equal(compiled.rel, plain.rel)
        for name in ("offset", "begin", "end", "src", "dst"):
            a, b = getattr(compiled.runs, name), getattr(plain.runs, name)
            assert torch.equal(a, b) and a.dtype == b.dtype, name


def test_kept_offsets_keep_their_edges(device):
    pos = grid_positions((5, 6), device=device)
    offsets, _ = offsets_of(pos, detect_spacing(pos))
    kept = torch.rand(offsets.num_offsets, device=device) < 0.3
    few = offsets.only(kept)
    index, src, dst = offsets.runs.edges
    few_index, few_src, few_dst = few.runs.edges
    edges = kept[index]
    assert torch.equal(few_src, src[edges]) and torch.equal(few_dst, dst[edges])
    assert torch.equal(few.codes[few_index], offsets.codes[index[edges]])
    assert torch.equal(few.rel, offsets.rel[kept]) and few.num_edges == int(edges.sum())
    assert offsets.only(torch.ones_like(kept)) is offsets
    assert offsets.only(torch.zeros_like(kept)).num_edges == 0


def test_keys_name_the_same_steps_in_every_batch(device):
    all_of_it = grid_positions((6, 7, 5), spacing=0.1, device=device)
    some, _ = offsets_of(all_of_it[torch.randperm(len(all_of_it))[:40]], (0.1,) * 3)
    every, _ = offsets_of(all_of_it, (0.1,) * 3)
    assert (every.keys.diff() > 0).all()
    assert torch.equal(every.codes[torch.searchsorted(every.keys, some.keys)], some.codes)


def test_far_points_need_no_large_table(device):
    """The box of offsets has more cells than an int32 counts."""
    cells = torch.randint(0, 100_000, (40, 3))
    offsets, _ = offsets_of((cells * 0.5).double().to(device), (0.5,) * 3)
    assert torch.equal(offsets.codes.cpu(), (cells.unsqueeze(1) - cells).flatten(0, 1).unique(dim=0))


def test_no_edges(device, native):
    pos = torch.zeros(3, 2, device=device)
    none = Neighbors.from_edge_index(torch.empty(2, 0, dtype=torch.long, device=device), 3, 3)
    offsets = LatticeOffsets.build(pos, pos, none, (1.0, 1.0))
    assert offsets.num_offsets == 0 and offsets.num_edges == 0
    assert offsets.only(torch.empty(0, dtype=torch.bool, device=device)) is offsets
    assert repr(offsets) == "LatticeOffsets(num_offsets=0, num_edges=0)"


def test_points_off_the_lattice_are_named(device):
    pos = grid_positions((4, 4), spacing=0.5, device=device)
    graph = Neighbors.from_edge_index(knn_graph(pos, 3), 16, 16)
    with pytest.raises(ValueError, match=r"spacing \(0.5, 0.5\); the worst is 0.1 spacings"):
        LatticeOffsets.build(pos, pos + 0.05, graph, (0.5, 0.5))
    LatticeOffsets.build(pos, pos + 0.05, graph, (0.5, 0.5), tolerance=0.2)
    with pytest.raises(ValueError, match="the worst is nan spacings"):
        LatticeOffsets.build(pos * math.nan, pos, graph, (0.5, 0.5))
    with pytest.raises(ValueError, match=r"got \(0.5,\)"):
        LatticeOffsets.build(pos, pos, graph, (0.5,))
    with pytest.raises(ValueError, match=r"got \(0.5, 0.0\)"):
        LatticeOffsets.build(pos, pos, graph, (0.5, 0.0))
    with pytest.raises(ValueError, match="steps from point to point"):
        LatticeOffsets.build(pos, pos, graph, (5e-7, 0.5))
