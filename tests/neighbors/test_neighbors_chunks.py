"""Chunks, threads and devices: how the work is shared out bounds the memory and does not change the edges."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccnn_geo.neighbors import build_neighbors, knn_graph, radius_graph
from ccnn_geo.neighbors import candidates as candidates_module
from ccnn_geo.neighbors import exact as exact_module
from ccnn_geo.neighbors.exact import search_exact, search_torch
from ccnn_geo.neighbors.query import make_query
from tests.neighbors.neighbor_problems import oracle, problems


@pytest.mark.parametrize("chunk", [1, 50, 700, 10_000])
@pytest.mark.parametrize(("k", "r"), [(5, None), (None, 1.0), (None, None)])
def test_chunked_equals_unchunked(monkeypatch, chunk, k, r):
    pos = torch.randn(100, 2, generator=torch.Generator().manual_seed(4))
    batch = torch.arange(4).repeat_interleave(torch.tensor([30, 30, 0, 40]))
    monkeypatch.setenv("CCNN_GEO_NATIVE", "0")
    expected = build_neighbors(pos, batch, k, r, backend="torch").edge_index
    monkeypatch.setattr(exact_module, "CHUNK_PAIRS", {"cpu": chunk})
    monkeypatch.setattr(candidates_module, "_CHUNK_CANDIDATES", chunk)
    assert torch.equal(build_neighbors(pos, batch, k, r, backend="torch").edge_index, expected)
    assert torch.equal(build_neighbors(pos, batch, k, r, backend="scipy").edge_index, expected)


def test_a_chunk_bounds_the_distances_in_memory(monkeypatch):
    pos = torch.randn(8 * 128, 3, generator=torch.Generator().manual_seed(5))
    sizes = []
    original = exact_module.smallest

    def spy(d2, k):
        sizes.append(d2.numel())
        return original(d2, k)

    monkeypatch.setattr(exact_module, "smallest", spy)
    monkeypatch.setattr(exact_module, "CHUNK_PAIRS", {"cpu": 20_000})
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
        patch.setattr(exact_module, "CHUNK_PAIRS", {"cpu": chunk})
        for found, expected in zip(search_torch(query), search_exact(query), strict=True):
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
