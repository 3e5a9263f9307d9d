"""The backend of pyg-lib, which is not always there: a stand-in with its signature, limits and faults."""

import sys
from types import ModuleType

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from ccnn_geo.neighbors import build_neighbors
from tests.neighbors.neighbor_problems import make_cloud, oracle, problems


@pytest.fixture
def asked(monkeypatch):
    """Numbers of neighbours that pyg-lib is asked for."""
    numbers = []

    def knn(x, y, k=1, ptr_x=None, ptr_y=None, cosine=False, num_workers=1):
        """``[2, E]``, queries and references, as ``pyg_lib.ops.knn``: ties anyhow, none beyond 1e5 on CUDA."""
        assert x.is_contiguous() and y.is_contiguous() and ptr_x is ptr_y is None and not cosine
        assert k <= 100 or x.device.type != "cuda"
        numbers.append(k)
        d2 = (y[:, None] - x).square().sum(dim=2).flip(1)
        order = d2.argsort(dim=1, stable=True)[:, :k]
        row = torch.arange(len(y), device=y.device)[:, None].expand_as(order)
        kept = d2.gather(1, order) < (1e10 if x.device.type == "cuda" else torch.inf)
        return torch.stack((row[kept], len(x) - 1 - order[kept]))

    package, ops = ModuleType("pyg_lib"), ModuleType("pyg_lib.ops")
    package.ops, ops.knn = ops, knn
    monkeypatch.setitem(sys.modules, "pyg_lib", package)
    monkeypatch.setitem(sys.modules, "pyg_lib.ops", ops)
    return numbers


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(problem=problems())
def test_edges_are_those_of_the_definition(asked, problem):
    pos, batch, k, r = problem
    found = build_neighbors(pos, batch, k, r, backend="pyg_lib")
    assert torch.equal(found.edge_index, oracle(pos, pos, batch, batch, k, r))


@pytest.mark.parametrize("kind", ["random", "lattice", "duplicates"])
@pytest.mark.parametrize(
    ("k", "r"), [(9, None), (64, 0.4), (99, None), (100, None), (256, None), (None, 0.35)]
)
def test_beyond_what_it_can_another_engine_is_taken(asked, device, kind, k, r):
    pos = make_cloud(kind, 700, 3, torch.Generator().manual_seed(1))
    batch = torch.zeros(700, dtype=torch.int64)
    found = build_neighbors(pos.to(device), None, k, r, backend="pyg_lib").edge_index
    assert found.device.type == device.type and torch.equal(found.cpu(), oracle(pos, pos, batch, batch, k, r))
    on_cuda = device.type == "cuda"
    assert bool(asked) == (k is not None and (k < 100 or not on_cuda))
    assert max(asked, default=0) <= (100 if on_cuda else 700)


def test_what_cuda_leaves_out_is_found(asked, device):
    pos = torch.randn(60, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 1e30
    batch = torch.zeros(60, dtype=torch.int64)
    found = build_neighbors(pos.to(device), num_neighbors=7, backend="pyg_lib").edge_index
    assert torch.equal(found.cpu(), oracle(pos, pos, batch, batch, 7))
