"""Grid models under ``torch.compile`` and ``torch.export``."""

import copy

import pytest
import torch

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo.host_copy import HostCopy
from tests.torch_versions import since_2_10

SIZES = {1: (64,), 2: (12, 13), 3: (6, 7, 8)}


def model(dim):
    return CCNN(2, 3, dim, hidden_channels=4, num_blocks=1, causal=dim == 1, omega_0=5.0, window_init=0.3)


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
    copy_, value = HostCopy(), torch.tensor([1.0, 2.0])
    assert copy_.read(value) == [1.0, 2.0] and copy_.glance(value) == [1.0, 2.0]
    value.add_(1)
    assert copy_.read(value) == [2.0, 3.0]
    assert copy_.read(torch.zeros(1)) == [0.0]
    assert copy.deepcopy(copy_).known is None
    copy_.forget()
    assert copy_.known is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_glance_does_not_wait():
    copy_, value = HostCopy(), torch.ones(2, device="cuda")
    assert copy_.glance(value) == [1.0, 1.0]
    torch.cuda.set_sync_debug_mode("error")
    try:
        value.add_(1)
        assert copy_.glance(value) in ([1.0, 1.0], [2.0, 2.0])
    finally:
        torch.cuda.set_sync_debug_mode("default")
