"""Grid models under ``torch.compile`` and ``torch.export``."""

import copy

import pytest
import torch

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo.nn.conv.async_mirror import AsyncMirror
from tests.torch_versions import since_2_10

SIZES = {1: (64,), 2: (12, 13), 3: (6, 7, 8)}


def model(dim):
    """Of a block on sequences; the other dimensions differ in their convolutions, and graphs cost by the layer."""
    sizes = {"hidden_channels": 4, "num_blocks": int(dim == 1)}
    return CCNN(2, 3, dim, **sizes, causal=dim == 1, omega_0=5.0, window_init=0.3)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_compiled_models_are_the_same_function(dim):
    torch.compiler.reset()
    eager, x = model(dim), torch.randn(2, 2, *SIZES[dim])
    eager(x)
    eager.eval()
    compiled = torch.compile(eager, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), eager(x), rtol=1e-4, atol=1e-5)
    params = list(eager.parameters())
    grads = [torch.autograd.grad(f(x).square().sum(), params) for f in (compiled, eager)]
    for a, e in zip(*grads, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-3, atol=1e-3 * float(e.abs().max()) + 1e-6)


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor:UserWarning"
)  # torch's own, behind a break
@pytest.mark.parametrize("train", [True, False])
def test_a_layer_that_is_compiled_before_its_first_grid_remembers_its_spacing(train):
    torch.compiler.reset()
    conv = SepFlexConv(2, 2, 1, omega_0=5.0, window_init=0.3).train(train)
    eager = copy.deepcopy(conv)
    compiled = torch.compile(conv, backend="eager")
    for length in (20, 23, 31):
        x = torch.randn(2, 2, length)
        torch.testing.assert_close(compiled(x), eager(x), rtol=1e-4, atol=1e-5)
    assert torch.equal(conv.grid.reference_spacing, eager.grid.reference_spacing)


def test_a_compiled_layer_follows_its_window():
    torch.compiler.reset()
    conv = SepFlexConv(2, 2, 1, window_init=0.2, num_taps=1, omega_0=5.0)
    compiled = torch.compile(conv, backend="aot_eager", fullgraph=True)
    x = torch.randn(2, 2, 50)
    conv(x)  # eager, as the first batch is
    for width in (0.1, 0.3, 1.0):
        conv.kernel.window.width_init = width
        conv.kernel.window.reset_parameters()
        torch.testing.assert_close(compiled(x), conv(x), rtol=1e-4, atol=1e-5)


def test_compiled_evaluation_takes_the_window_that_was_learned():
    torch.compiler.reset()
    conv, x = SepFlexConv(2, 2, 1, window_init=0.1, num_taps=1, omega_0=5.0), torch.randn(2, 2, 50)
    conv(x)  # eager, as the first batch is; no other pass is
    compiled = torch.compile(conv, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        for width in (0.3, 0.31):
            conv.train()
            conv.kernel.window.width_init = width  # as steps of a compiled training would
            conv.kernel.window.reset_parameters()
            conv.eval()
            torch.testing.assert_close(compiled(x), copy.deepcopy(conv)(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_exported_models_take_any_batch(dim):
    eager, x = model(dim), torch.randn(2, 2, *SIZES[dim])
    eager(x)
    eager.eval()
    expected = eager(x)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(eager, (x,), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(program.module()(x), expected, rtol=1e-4, atol=1e-5)
    more = torch.randn(5, 2, *SIZES[dim])
    torch.testing.assert_close(program.module()(more), eager(more), rtol=1e-4, atol=1e-5)


@since_2_10
def test_export_asks_for_a_first_pass():
    conv = SepFlexConv(2, 2, 1, num_taps=1).eval()
    with pytest.raises(Exception, match="run it once before"):
        torch.export.export(conv, (torch.randn(1, 2, 20),))


def test_the_number_of_taps_changes_rarely():
    conv = SepFlexConv(2, 2, 1, num_taps=1)
    sizes = set()
    for width in torch.linspace(0.05, 0.4, 200).tolist():
        conv.kernel.window.width_init = width
        conv.kernel.window.reset_parameters()
        rel, center = conv.kernel_taps((1000,))
        sizes.add(len(rel))
        assert rel[center[0]] == 0
        assert conv.kernel.support() < rel.max() + 2 / 999  # the next tap would be outside
    assert len(sizes) < 15


def test_numbers_are_read_again_when_they_change():
    copy_, value = AsyncMirror(), torch.tensor([1.0, 2.0])
    assert copy_.read(value) == [1.0, 2.0] and copy_.glance(value) == [1.0, 2.0]
    value.add_(1)
    assert copy_.read(value) == [2.0, 3.0]
    assert copy_.read(torch.zeros(1)) == [0.0]
    assert copy.deepcopy(copy_).known is None
    copy_.forget()
    assert copy_.known is None


def test_numbers_of_another_tensor_are_read_whatever_its_version(device):
    copy_, old = AsyncMirror(), torch.zeros(1, device=device)
    assert copy_.read(old) == [0.0]
    assert copy_.read(torch.ones(1, device=device)) == [1.0]


def test_a_glance_does_not_wait_and_catches_up(device, record_waits):
    copy_, value = AsyncMirror(), torch.ones(2, device=device)
    assert copy_.glance(value) == [1.0, 1.0]
    for step in (2.0, 3.0):
        value.add_(1)
        with record_waits() as waits:
            assert copy_.glance(value) in ([step - 1] * 2, [step] * 2)
        assert not waits
        value.sum().item()  # all that was asked of the device has been done
        assert copy_.glance(value) == [step] * 2
        value.sum().item()
        assert copy_.glance(value) == [step] * 2


def test_a_copy_is_awaited_on_the_stream_it_runs_on(device, monkeypatch):
    if device.type != "cuda":
        pytest.skip("the CPU has no streams")
    recorded = []

    class Event(torch.cuda.Event):
        def record(self, stream=None):
            recorded.append(stream)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    copy_, value = AsyncMirror(), torch.ones(2, device=device)
    copy_.glance(value), copy_.glance(value)
    assert [stream.device for stream in recorded] == [value.device]


def test_operators_that_wait_are_in_no_cuda_graph():
    from ccnn_geo.neighbors import graph_ops

    tag = getattr(torch.Tag, "cudagraph_unsafe", None)
    if tag is None:
        pytest.skip("this torch has no such tag")
    for operator in (graph_ops.sort_edges, graph_ops.nearest_edges, graph_ops.extent):
        assert tag in operator._opoverload.tags
