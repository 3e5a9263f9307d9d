"""The reach of edges against the offsets themselves."""

import pytest
import torch

from ccnn_geo._base.native import build
from ccnn_geo.functional.edge import extent as module
from ccnn_geo.functional.edge.extent import edge_extent
from ccnn_geo.neighbors import Neighbors, build_neighbors


@pytest.fixture(params=["0", "1"], ids=["torch", "compiled"], autouse=True)
def native(request, monkeypatch):
    monkeypatch.setenv("CCNN_GEO_NATIVE", request.param)
    monkeypatch.setattr(module, "SPLIT", 70)
    monkeypatch.setattr(build, "THREAD_EDGES", 50)


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_largest_offsets(dim, dtype, device):
    pos, target = (torch.randn(n, dim, dtype=dtype, device=device) for n in (60, 25))
    neighbors = build_neighbors(pos, num_neighbors=9, pos_dst=target)
    source, rows = neighbors.edge_index
    expected = (target[rows] - pos[source]).abs().amax(dim=0)
    assert torch.equal(edge_extent(pos, target, neighbors), expected)


def test_none_without_edges(device):
    pos = torch.randn(3, 2, device=device)
    none = Neighbors.from_edge_index(torch.empty(2, 0, dtype=torch.long, device=device), 3, 3)
    assert torch.equal(edge_extent(pos, pos, none), torch.zeros(2, device=device))


def test_what_is_not_a_number_counts_as_none(device):
    pos = torch.tensor([[0.0, torch.nan], [2.0, 1.0], [torch.inf, 5.0]], device=device)
    loops = torch.tensor([[0, 1, 2], [1, 0, 2]], device=device)
    assert edge_extent(pos, pos, Neighbors.from_edge_index(loops, 3, 3)).tolist() == [2.0, 0.0]
