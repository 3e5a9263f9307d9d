"""Every backend gives the edges of the definition, target by target, on whatever clouds."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ccnn_geo.neighbors import Neighbors, build_neighbors, knn_graph
from tests.neighbors.neighbor_problems import BACKENDS, make_cloud, oracle, problems

HERE = [
    backend if isinstance(backend, str) else backend.values[0]
    for backend in BACKENDS
    if isinstance(backend, str) or not any(mark.args[0] for mark in backend.marks)
]
"""Those that are installed: problems, and their slow definition, are shared by them."""


@pytest.mark.parametrize("loop", [True, False])
@settings(max_examples=25, deadline=None)
@given(problem=problems())
def test_edges_are_those_of_the_definition(loop, problem):
    pos, batch, k, r = problem
    expected = oracle(pos, pos, batch, batch, k, r, loop)
    ptr = Neighbors.from_edge_index(expected, len(pos), len(pos)).ptr
    for backend in HERE:
        found = build_neighbors(pos, batch, k, r, loop=loop, backend=backend)
        assert torch.equal(found.edge_index, expected) and torch.equal(found.ptr, ptr), backend


@settings(max_examples=20, deadline=None)
@given(problem=problems(), targets=problems())
def test_bipartite_edges_are_those_of_the_definition(problem, targets):
    pos, batch, k, r = problem
    dim = min(pos.size(1), targets[0].size(1))
    src, dst, batch_dst = pos[:, :dim], targets[0][:, :dim], targets[1]
    expected = oracle(src, dst, batch, batch_dst, k, r)
    for backend in HERE:
        found = build_neighbors(src, batch, k, r, dst, batch_dst, backend=backend)
        assert torch.equal(found.edge_index, expected), backend
        assert (found.num_src, found.num_dst) == (len(src), len(dst)), backend
        assert found.ptr.numel() == len(dst) + 1, backend


@functools.cache
def large_cloud(kind, k, r):
    """700 points: the index answers some rows, asks again for others, and gives up on the rest."""
    pos = make_cloud(kind, 700, 3, torch.Generator().manual_seed(1))
    batch = torch.zeros(700, dtype=torch.int64)
    return pos, oracle(pos, pos, batch, batch, k, r)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["random", "lattice", "duplicates"])
@pytest.mark.parametrize(("k", "r"), [(9, None), (64, None), (256, 0.4), (None, 0.35)])
def test_clouds_large_enough_for_every_stage(backend, kind, k, r):
    pos, expected = large_cloud(kind, k, r)
    assert torch.equal(build_neighbors(pos, None, k, r, backend=backend).edge_index, expected)


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
