"""``torch.use_deterministic_algorithms``: every path runs under it, and twice the same run is bitwise the same."""

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.functional.native.build import native_function


@pytest.fixture(autouse=True)
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(params=[1, 2], ids=["one_thread", "two_threads"])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def points(spacing=None):
    pos = torch.rand(160, 3) * 2 - 1
    if spacing is not None:
        pos = (pos / spacing).round() * spacing
    return torch.randn(160, 4), pos, torch.arange(2).repeat_interleave(80)


WIDE = {"kernel_hidden": 8, "omega_0": 0.5, "window_init": 0.4, "dropout": 0.1, "drop_path": 0.1}
CASES = {
    "edges": (3, {"num_neighbors": 64}, points),
    "edges, density": (3, {"num_neighbors": 16, "measure": "density"}, points),
    "edges, largest": (3, {"num_neighbors": 16, "pool": "mean_max"}, points),
    "messages": (3, {"num_neighbors": 16, "method": "plain"}, points),
    "dense": (3, {"num_neighbors": 16, "block": "flex"}, points),
    "lattice": (3, {"num_neighbors": 32, "method": "lattice"}, lambda: points(0.1)),
    "mesh": (3, {"method": "mesh", "window_threshold": 1e-4}, points),
    "sequence by fft": (1, {"method": "fft", "causal": True}, lambda: (torch.randn(4, 4, 300),)),
    "image by sums": (2, {"method": "direct"}, lambda: (torch.randn(4, 4, 12, 13),)),
}


def train(dim, options, make, compiled, monkeypatch):
    """Losses, parameters and gradients of a short training from one seed."""
    monkeypatch.setenv("CCNN_GEO_NATIVE", str(int(compiled)))
    torch.manual_seed(0)
    inputs = make()
    model = CCNN(4, 3, dim, 24, 1, **{**WIDE, **options})
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    trace = []
    for _ in range(3):
        given = list(inputs)
        if dim == 3:
            given[1] = inputs[1].clone().requires_grad_(options.get("method") != "lattice")
        loss = model(*given).square().mean() + model(*given).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        trace.append(loss.detach())
        if dim == 3 and given[1].requires_grad:
            trace.append(given[1].grad)
    return trace + [t.detach().clone() for t in model.state_dict().values()]


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "torch"])
@pytest.mark.parametrize("name", CASES)
def test_the_same_run_is_bitwise_the_same(name, compiled, threads, monkeypatch):
    if compiled and native_function("edge_magnet") is None:
        pytest.skip("no C compiler")
    first, second = (train(*CASES[name], compiled, monkeypatch) for _ in range(2))
    assert first[0].isfinite()
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
