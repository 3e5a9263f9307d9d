"""What ``build_neighbors`` and its short forms promise: order, rims, loops, empty clouds, the backend, the errors."""

import sys
from types import ModuleType

import pytest
import torch

from ccnn_geo.neighbors import build as build_module
from ccnn_geo.neighbors import build_neighbors, knn, knn_graph, radius, radius_graph
from ccnn_geo.neighbors.build import _fastest
from ccnn_geo.neighbors.query import make_query


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

    assert chosen(400, 1) == chosen(4000, 256) == chosen(20_000, 16, dim=8) == "torch"
    assert chosen(40_000, 64) == chosen(8192, 16) == "scipy"
    assert chosen(40_000, 256) == chosen(2048, 16) == chosen(512, 25) == ("torch" if native else "scipy")


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
        (
            {"backend": "faiss"},
            ValueError,
            "one of 'auto', 'torch', 'scipy', 'device', 'cluster', 'pyg_lib', got 'faiss'",
        ),
    ],
)
def test_errors_say_what_was_given(arguments, error, message):
    with pytest.raises(error, match=message):
        build_neighbors(**{"pos": torch.zeros(4, 3), **arguments})


@pytest.mark.parametrize(("backend", "module"), [("cluster", "torch_cluster"), ("pyg_lib", "pyg_lib.ops")])
def test_a_missing_backend_is_named(monkeypatch, backend, module):
    for content in (None, ModuleType(module)):  # pyg-lib before 0.6 has no such search
        monkeypatch.setitem(sys.modules, module, content)
        monkeypatch.setitem(sys.modules, module.partition(".")[0], content)
        with pytest.raises(
            ImportError, match=r"needs (torch-cluster|pyg-lib).* \(pip install 'ccnn_geo\[accel\]'\)"
        ):
            knn_graph(torch.zeros(4, 3), 2, backend=backend)
