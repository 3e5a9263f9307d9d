import importlib.util
import sys

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ccnn_geo.neighbors import Neighbors, build_neighbors, knn, knn_graph, radius, radius_graph
from ccnn_geo.neighbors import build as build_module
from ccnn_geo.neighbors import candidates as candidates_module
from ccnn_geo.neighbors import exact as exact_module
from ccnn_geo.neighbors import host as host_module
from ccnn_geo.neighbors import products as products_module
from ccnn_geo.neighbors import select as select_module
from ccnn_geo.neighbors.build import _fastest
from ccnn_geo.neighbors.exact import search_accelerator, search_exact
from ccnn_geo.neighbors.query import make_query
from ccnn_geo.neighbors.select import smallest

needs_cluster = pytest.mark.skipif(
    importlib.util.find_spec("torch_cluster") is None,
    reason="torch-cluster is not installed: pip install ccnn_geo[accel] (needs a compiler)",
)
BACKENDS = ["torch", "scipy", pytest.param("cluster", marks=needs_cluster), "auto"]


def oracle(src, dst, batch_src, batch_dst, k=None, r=None, loop=True):
    """The definition, target by target, in numpy."""
    src, dst = src.double().numpy(), dst.double().numpy()
    batch_src, batch_dst = batch_src.numpy(), batch_dst.numpy()
    edges = [np.zeros((2, 0), dtype=np.int64)]
    for i in range(len(dst)):
        d2 = np.zeros(len(src))
        for axis in range(src.shape[1]):
            d2 = d2 + (dst[i, axis] - src[:, axis]) ** 2
        allowed = batch_src == batch_dst[i]
        if not loop:
            allowed[i] = False
        if r is not None:
            allowed &= d2 <= r * r
        chosen = np.nonzero(allowed)[0]
        chosen = chosen[np.lexsort((chosen, d2[chosen]))][:k]
        edges.append(np.stack((chosen, np.full_like(chosen, i))))
    return torch.from_numpy(np.concatenate(edges, axis=1))


def make_cloud(kind, num, dim, generator):
    if kind == "random":
        return torch.randn(num, dim, generator=generator)
    if kind == "lattice":  # massive ties, and near-ties from rounding
        return torch.randint(0, 4, (num, dim), generator=generator) * 0.3
    if kind == "exact lattice":
        return torch.randint(-2, 3, (num, dim), generator=generator).double()
    if kind == "duplicates":
        return torch.randn(1 + num // 8, dim, generator=generator)[torch.arange(num) % (1 + num // 8)]
    if kind == "collinear":
        return torch.randint(0, 50, (num, 1), generator=generator) * torch.ones(dim)
    return torch.zeros(num, dim)


KINDS = ["random", "lattice", "exact lattice", "duplicates", "collinear", "zeros"]


@st.composite
def problems(draw):
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    dim = draw(st.integers(1, 4))
    sizes = draw(st.lists(st.sampled_from([0, 1, 2, 3, 7, 16, 16, 40]), min_size=1, max_size=4))
    pos = torch.cat([make_cloud(draw(st.sampled_from(KINDS)), n, dim, generator).double() for n in sizes])
    batch = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    dtype = draw(st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
    k = draw(st.sampled_from([1, 2, 5, 15, 16, 39, 256, None]))
    r = draw(st.sampled_from([None, None, 0.0, 0.3, 1.0, 100.0]))
    return pos.to(dtype), batch, k, r


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loop", [True, False])
@settings(max_examples=25, deadline=None)
@given(problem=problems())
def test_edges_are_those_of_the_definition(backend, loop, problem):
    pos, batch, k, r = problem
    found = build_neighbors(pos, batch, k, r, loop=loop, backend=backend)
    expected = oracle(pos, pos, batch, batch, k, r, loop)
    assert torch.equal(found.edge_index, expected)
    assert torch.equal(found.ptr, Neighbors.from_edge_index(expected, len(pos), len(pos)).ptr)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=20, deadline=None)
@given(problem=problems(), targets=problems())
def test_bipartite_edges_are_those_of_the_definition(backend, problem, targets):
    pos, batch, k, r = problem
    dim = min(pos.size(1), targets[0].size(1))
    src, dst, batch_dst = pos[:, :dim], targets[0][:, :dim], targets[1]
    found = build_neighbors(src, batch, k, r, dst, batch_dst, backend=backend)
    assert torch.equal(found.edge_index, oracle(src, dst, batch, batch_dst, k, r))
    assert (found.num_src, found.num_dst) == (len(src), len(dst))
    assert found.ptr.numel() == len(dst) + 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["random", "lattice", "duplicates"])
@pytest.mark.parametrize(("k", "r"), [(9, None), (64, None), (256, 0.4), (None, 0.35)])
def test_clouds_large_enough_for_every_stage(backend, kind, k, r):
    # 700 points: the index answers some rows, asks again for others, and gives up on the rest.
    pos = make_cloud(kind, 700, 3, torch.Generator().manual_seed(1))
    batch = torch.zeros(700, dtype=torch.int64)
    found = build_neighbors(pos, None, k, r, backend=backend).edge_index
    assert torch.equal(found, oracle(pos, pos, batch, batch, k, r))


@pytest.mark.parametrize("backend", BACKENDS)
def test_voxel_lattices_agree_between_backends(backend):
    axis = torch.linspace(-1, 1, 10)
    pos = torch.cartesian_prod(axis, axis, axis)
    for k in (27, 100):
        expected = build_neighbors(pos, num_neighbors=k, backend="torch")
        assert torch.equal(
            build_neighbors(pos, num_neighbors=k, backend=backend).edge_index, expected.edge_index
        )
        assert torch.equal(expected.degree, torch.full((10**3,), k))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1e-30, 1e30, 1e200])
def test_any_scale_of_coordinates(backend, scale):
    pos = torch.randn(60, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * scale
    batch = torch.zeros(60, dtype=torch.int64)
    with np.errstate(over="ignore"):
        expected = oracle(pos, pos, batch, batch, 7)
    assert torch.equal(knn_graph(pos, 7, backend=backend), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_far_from_the_origin_differences_stay_exact(backend):
    pos = 1e6 + torch.rand(300, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 1e-3
    batch = torch.zeros(300, dtype=torch.int64)
    assert torch.equal(knn_graph(pos, 20, backend=backend), oracle(pos, pos, batch, batch, 20))


@pytest.mark.parametrize("chunk", [1, 50, 700, 10_000])
@pytest.mark.parametrize(("k", "r"), [(5, None), (None, 1.0), (None, None)])
def test_chunked_equals_unchunked(monkeypatch, chunk, k, r):
    pos = torch.randn(100, 2, generator=torch.Generator().manual_seed(4))
    batch = torch.arange(4).repeat_interleave(torch.tensor([30, 30, 0, 40]))
    monkeypatch.setenv("CCNN_GEO_NATIVE", "0")
    expected = build_neighbors(pos, batch, k, r, backend="torch").edge_index
    monkeypatch.setattr(host_module, "_CHUNK_PAIRS", chunk)
    monkeypatch.setattr(candidates_module, "_CHUNK_CANDIDATES", chunk)
    assert torch.equal(build_neighbors(pos, batch, k, r, backend="torch").edge_index, expected)
    assert torch.equal(build_neighbors(pos, batch, k, r, backend="scipy").edge_index, expected)


def test_a_chunk_bounds_the_distances_in_memory(monkeypatch):
    pos = torch.randn(8 * 128, 3, generator=torch.Generator().manual_seed(5))
    sizes = []
    original = select_module.smallest_keys

    def spy(d2, k):
        sizes.append(d2.size)
        return original(d2, k)

    monkeypatch.setattr(select_module, "smallest_keys", spy)
    monkeypatch.setattr(products_module, "smallest_keys", spy)
    monkeypatch.setattr(host_module, "_CHUNK_PAIRS", 20_000)
    monkeypatch.setenv("CCNN_GEO_NATIVE", "0")
    knn_graph(pos, 16, torch.arange(8).repeat_interleave(128), backend="torch")
    knn_graph(pos, 16, backend="torch")
    assert 0 < max(sizes) <= 20_000


@settings(max_examples=25, deadline=None)
@given(problem=problems(), loop=st.booleans(), chunk=st.sampled_from([1, 300, 1 << 22]))
def test_what_runs_on_a_gpu_is_the_same(problem, loop, chunk):
    pos, batch, k, r = problem
    query = make_query(pos, batch, None, None, k, r, loop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_module, "_CHUNK_PAIRS_ACCELERATOR", chunk)
        for found, expected in zip(search_accelerator(query), search_exact(query), strict=True):
            assert torch.equal(found, expected)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_matter(threads):
    pos = torch.randn(700, 3, generator=torch.Generator().manual_seed(10))
    batch = torch.arange(2).repeat_interleave(torch.tensor([300, 400]))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = [knn_graph(pos, 9, batch, backend="torch"), radius_graph(pos, 0.4, batch, backend="torch")]
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], oracle(pos, pos, batch, batch, 9))
    assert torch.equal(found[1], oracle(pos, pos, batch, batch, None, 0.4))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.sampled_from([1, 2, 3, 4, 5, 33, 64, 200]),
    kind=st.sampled_from(["random", "ties", "near ties", "both", "infinite"]),
    nan=st.booleans(),
)
@example(seed=0, n=200, kind="near ties", nan=True)
def test_smallest_is_a_stable_sort(seed, n, kind, nan):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(6, n, generator=generator, dtype=torch.float64)
    if kind in ("ties", "both"):
        values = (values * 4).floor() / 3
    if kind in ("near ties", "both"):
        values = values.round(decimals=1) * (
            1 + 1e-15 * torch.randint(0, 3, values.shape, generator=generator)
        )
    if kind == "infinite":
        values[:, ::2] = torch.inf
    if nan:
        values[:, n // 2] = torch.nan
    expected = torch.sort(values, dim=1, stable=True).indices
    for k in {0, 1, n // 2, n - 1, n - nan}:
        assert torch.equal(smallest(values, k), expected[:, :k])


def test_smallest_sees_past_the_bits_its_keys_give_up():
    # Keys alone would take the first columns, and the ones found are equal: nothing looks wrong but the limit.
    values = torch.full((1, 100), 1 + 2e-16, dtype=torch.float64)
    values[0, 80] = 1.0
    assert smallest(values, 1).tolist() == [[80]]
    assert smallest(values, 3).tolist() == [[80, 0, 1]]


def test_runs_repeat_and_gradients_do_not_matter():
    pos = torch.randn(200, 3, generator=torch.Generator().manual_seed(6), requires_grad=True)
    first, second = build_neighbors(pos), build_neighbors(pos)
    assert torch.equal(first.edge_index, second.edge_index)
    with torch.inference_mode():
        assert torch.equal(build_neighbors(pos).edge_index, first.edge_index)


def test_order_of_clouds_does_not_matter():
    generator = torch.Generator().manual_seed(7)
    clouds = [torch.randn(n, 3, generator=generator) for n in (20, 5, 20, 0, 33)]
    alone = [knn_graph(c, 6) for c in clouds]
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        sizes = torch.tensor([len(clouds[i]) for i in order])
        found = knn_graph(torch.cat([clouds[i] for i in order]), 6, torch.arange(5).repeat_interleave(sizes))
        starts = sizes.cumsum(0) - sizes
        expected = torch.cat([alone[i] + s for i, s in zip(order, starts, strict=True)], dim=1)
        assert torch.equal(found, expected)


def test_permuting_points_permutes_the_edges():
    generator = torch.Generator().manual_seed(8)
    pos = torch.randn(80, 3, generator=generator)
    order = torch.randperm(80, generator=generator)
    edges = knn_graph(pos, 9)
    moved = order[knn_graph(pos[order], 9)]
    assert set(zip(*edges.tolist(), strict=True)) == set(zip(*moved.tolist(), strict=True))


def test_fewer_points_than_neighbors_gives_complete_clouds():
    pos = torch.randn(9, 2)
    batch = torch.tensor([0, 0, 0, 0, 2, 3, 3, 3, 3])
    found = build_neighbors(pos, batch, 256)
    assert found.degree.tolist() == [4, 4, 4, 4, 1, 4, 4, 4, 4]
    assert torch.equal(build_neighbors(pos, batch, None).edge_index, found.edge_index)
    assert build_neighbors(pos, batch, 256, loop=False).degree.tolist() == [3, 3, 3, 3, 0, 3, 3, 3, 3]


def test_loop_excludes_the_point_and_not_its_duplicates():
    pos = torch.tensor([[0.0], [0.0], [1.0]])
    assert knn_graph(pos, 2).tolist() == [[0, 1, 0, 1, 2, 0], [0, 0, 1, 1, 2, 2]]
    assert knn_graph(pos, 2, loop=False).tolist() == [[1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]]


def test_radius_includes_its_rim_and_keeps_the_nearest():
    pos = torch.arange(5.0)[:, None]
    assert radius_graph(pos, 1.0)[0].tolist() == [0, 1, 1, 0, 2, 2, 1, 3, 3, 2, 4, 4, 3]
    assert radius_graph(pos, 2.0, max_num_neighbors=2, loop=False)[0].tolist() == [
        1,
        2,
        0,
        2,
        1,
        3,
        2,
        4,
        3,
        2,
    ]


def test_bipartite_functions_are_build_neighbors():
    generator = torch.Generator().manual_seed(9)
    src, dst = torch.randn(30, 2, generator=generator), torch.randn(11, 2, generator=generator)
    assert torch.equal(knn(src, dst, 4), build_neighbors(src, None, 4, pos_dst=dst).edge_index)
    assert torch.equal(radius(src, dst, 0.7), build_neighbors(src, None, None, 0.7, dst).edge_index)


def test_no_points_at_all():
    found = build_neighbors(torch.zeros(0, 3))
    assert found.edge_index.shape == (2, 0)
    assert found.ptr.tolist() == [0]
    assert (found.num_edges, found.num_src, found.num_dst) == (0, 0, 0)


@pytest.mark.parametrize("native", [True, False])
def test_auto_takes_the_tree_for_large_clouds_and_few_neighbors(monkeypatch, native):
    monkeypatch.setattr(build_module, "has_native", lambda: native)

    def chosen(num, k, dim=3):
        return _fastest(make_query(torch.zeros(num, dim), None, None, None, k, None, True))

    assert chosen(512, 1) == chosen(8192, 256) == chosen(20_000, 16, dim=8) == "torch"
    assert chosen(40_000, 64) == chosen(8192, 16) == "scipy"
    assert chosen(40_000, 256) == chosen(2048, 16) == ("torch" if native else "scipy")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"pos": torch.zeros(4, 3, dtype=torch.int64)},
            TypeError,
            "floating point coordinates, got torch.int64",
        ),
        ({"pos": torch.zeros(4)}, ValueError, r"shape \[N, D\] with D >= 1, got \[4\]"),
        ({"pos": torch.tensor([[0.0], [torch.nan], [torch.inf]])}, ValueError, "NaN or Inf in 2 of 3 points"),
        ({"batch": torch.tensor([0, 1, 0, 1])}, ValueError, "batch must be sorted"),
        ({"batch": torch.tensor([0, 1, 1])}, ValueError, r"one cloud per point, \[4\] .* got \[3\]"),
        ({"batch": torch.tensor([-1, 0, 0, 0])}, ValueError, "must not be negative, got -1"),
        ({"batch": torch.zeros(4)}, TypeError, "batch must be int64 or int32, got torch.float32"),
        ({"num_neighbors": 0}, ValueError, "at least 1, got 0"),
        ({"num_neighbors": 2.0}, TypeError, r"int or None, got 2\.0"),
        ({"radius": -1.0}, ValueError, r"finite and not negative, got -1\.0"),
        ({"pos_dst": torch.zeros(2, 2)}, ValueError, r"same dimension, got \[4, 3\] and \[2, 2\]"),
        ({"pos_dst": torch.zeros(2, 3), "loop": False}, ValueError, "loop=False needs"),
        ({"batch_dst": torch.zeros(4)}, ValueError, "batch_dst was given without pos_dst"),
        ({"backend": "faiss"}, ValueError, "'auto', 'torch', 'scipy' or 'cluster', got 'faiss'"),
    ],
)
def test_errors_say_what_was_given(arguments, error, message):
    with pytest.raises(error, match=message):
        build_neighbors(**{"pos": torch.zeros(4, 3), **arguments})


def test_a_missing_backend_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_cluster", None)
    with pytest.raises(ImportError, match="needs torch-cluster"):
        knn_graph(torch.zeros(4, 3), 2, backend="cluster")
