"""Training steps on grids in CUDA graphs: recorded once, they are the same steps, however far windows grow."""

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo.nn import fixed_taps
from ccnn_geo.nn.conv.async_mirror import AsyncMirror

SIZES = {"hidden_channels": 6, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 1.0, "window_init": 0.2}
CASES = {
    "sequence": (1, {"causal": True, "method": "fft"}, (30,)),
    "image": (2, {"pool": "mean_max"}, (12, 13)),
    "image, dense and direct": (2, {"block": "flex", "method": "direct"}, (12, 13)),
    "image, two members": (2, {"members": 2, "block": "gated"}, (12, 13)),
    "voxels": (3, {"kernel_domain": 0.8, "window_init": 0.3}, (7, 7, 7)),
}


@pytest.fixture
def gpu(device):
    if device.type == "cpu":
        pytest.skip("graphs are recorded on CUDA devices, a simulated one for instance")
    return device


def pair(name, device):
    """A network that has seen a batch on the CPU, its copy on the device, and a batch."""
    dim, options, size = CASES[name]
    model = CCNN(3, 4, dim, **{**SIZES, **options})
    x = torch.randn(2, 3, *size)
    with fixed_taps():
        model(x)
    return model, copy.deepcopy(model).to(device), x


def widen(model, by):
    with torch.no_grad():
        for conv in model.convs:
            conv.kernel.window.rho.add_(by)


def step(model, optimizer, x, y):
    widen(model, 0.3)  # faster than any window learns
    optimizer.zero_grad()
    loss = cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.detach()


@pytest.mark.parametrize("name", CASES)
def test_a_recorded_step_is_that_of_the_cpu(name, gpu, record_waits):
    model, here, x = pair(name, gpu)
    for _ in range(3):  # the passes that warm up
        model(x)
    with fixed_taps():
        torch.cuda.make_graphed_callables(here, (x.to(gpu),))
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.01) for m in (model, here)]
    y = torch.tensor([1, 3]).repeat(model.num_answers)
    labels = y.to(gpu)
    for _ in range(4):
        x = torch.randn_like(x)
        expected, on_device = step(model, optimizers[0], x, y), x.to(gpu)
        with record_waits() as waits:
            found = step(here, optimizers[1], on_device, labels)
        assert not waits
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-5)
    state = here.state_dict()
    for key, value in model.state_dict().items():
        floor = 1e-4 * float(value.abs().amax()) + 1e-5
        torch.testing.assert_close(state[key].cpu(), value, rtol=1e-3, atol=floor, msg=key)
    # what runs beside the graph knows how wide windows are by now
    torch.testing.assert_close(here.eval()(on_device).cpu(), model.eval()(x), rtol=1e-3, atol=1e-3)


def test_a_pass_beside_replays_hears_of_the_window(gpu):
    model, here, x = pair("image", gpu)
    with torch.no_grad():
        for _ in range(3):
            model(x), here(x.to(gpu))
        torch.cuda.synchronize()
        with fixed_taps():
            here(x.to(gpu))  # as a graph that is recorded
            model(x)
        for m in (model, here):
            widen(m, 2.0)  # as its replays would
        torch.testing.assert_close(here(x.to(gpu)).cpu(), model(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("train", [True, False])
def test_without_fixed_taps_nothing_is_recorded(train, gpu):
    _, here, x = pair("image", gpu)
    x = x.to(gpu)
    here.train(train)
    refused = pytest.raises(RuntimeError, match=r"CUDA graph: the number of taps .*fixed_taps")
    with torch.set_grad_enabled(train):
        here(x)
        with refused, torch.cuda.graph(torch.cuda.CUDAGraph()):
            here(x)


@pytest.mark.parametrize("options", [{"init_spacing": "auto"}, {"omega_0": None, "window_init": None}, {}])
def test_a_network_that_has_seen_nothing_is_not_recorded(options, gpu):
    model = CCNN(3, 4, 2, **{**SIZES, **options}).to(gpu)
    x = torch.randn(2, 3, 12, 13).to(gpu)
    refused = pytest.raises(RuntimeError, match=r"CUDA graph: .* run (it|the model) once before")
    with refused, fixed_taps(), torch.cuda.graph(torch.cuda.CUDAGraph()):
        model(x)


@pytest.mark.parametrize("method", ["fft", "direct"])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("kernel_domain", [None, 0.31])
def test_taps_are_fixed_and_values_are_the_same(method, train, kernel_domain, device):
    settings = {"kernel_domain": kernel_domain, "window_init": 0.05, "omega_0": 3.0}
    conv = SepFlexConv(2, 2, 2, method=method, **settings).to(device)
    x = torch.randn(2, 2, 21, 18).to(device)
    with torch.no_grad():
        conv(x)
        conv.train(train)
        sizes = set()
        for width in (0.05, 0.1, 0.3, 1.0):
            conv.kernel.window.width_init = width
            conv.kernel.window.reset_parameters()
            conv.grid.forget_support()
            expected = conv(x)
            kept = len(conv.kernel.cache)
            with fixed_taps():
                torch.testing.assert_close(conv(x), expected, rtol=1e-4, atol=1e-5)
                sizes.add(tuple(conv.kernel_taps((21, 18))[0].shape))
            assert len(conv.kernel.cache) == kept
    assert len(sizes) == 1
    if kernel_domain is not None:
        assert max(sizes) < (21, 18)


def test_the_taps_at_the_edge_of_a_domain_stay(device):
    conv = SepFlexConv(2, 2, 1, kernel_domain=0.3, window=None, omega_0=3.0).to(device)
    x = torch.randn(1, 2, 21).to(device)
    for step in (0.1, 0.1 * (1 + 5e-6)):  # the third sample lies within the domain's slack
        expected = conv(x, spacing=step)
        with fixed_taps():
            torch.testing.assert_close(conv(x, spacing=step), expected, rtol=1e-4, atol=1e-5)


def test_after_losing_sight_every_glance_looks(device):
    mirror, value = AsyncMirror(), torch.ones(1, device=device)
    mirror.glance(value), mirror.glance(value)
    mirror.lose_sight()
    for _ in range(2):
        value.add_(1)
        assert mirror.glance(value) == value.tolist()
    assert copy.deepcopy(mirror)._sees_writes
