"""Rendered kernels are those that convolutions use: an impulse answers with them."""

import pytest
import torch

from ccnn_geo import CCNN, FlexConv
from ccnn_geo.visualization import render_kernels
from ccnn_geo.visualization.rendering import convolutions


def network(dim, **kwargs):
    settings = {
        "hidden_channels": 4,
        "num_blocks": 2,
        "kernel_hidden": 4,
        "omega_0": 10.0,
        "window_init": 0.2,
    }
    return CCNN(2, 3, dim, **{**settings, **kwargs})


@pytest.mark.parametrize(
    ("size", "causal"), [((41,), True), ((41,), False), ((21, 17), False), ((9, 7, 5), False)]
)
def test_an_impulse_answers_with_the_kernel(size, causal):
    model = network(len(size), causal=causal).train()
    model(torch.randn(2, 2, *size))
    model.eval()
    layer = render_kernels(model, [1])[0]
    assert layer.name == "block 1" and layer.on_lattice and layer.num_channels == 4
    conv, middle = model.blocks[0].conv, tuple(0 if causal else s // 2 for s in size)
    impulse = torch.zeros(1, 4, *size)
    impulse[(0, slice(None), *middle)] = 1
    with torch.no_grad():
        answer = conv.aggregate_neighbors(impulse)[0]
    steps = [(axis / conv.grid.reference_spacing[d]).round().long() for d, axis in enumerate(layer.axes)]
    found = torch.zeros_like(answer)
    kept = [(s + m >= 0) & (s + m < n) for s, m, n in zip(steps, middle, size, strict=True)]
    at = torch.meshgrid(*(s[k] + m for s, k, m in zip(steps, kept, middle, strict=True)), indexing="ij")
    values = layer.values
    for d, keep in enumerate(kept):
        values = values.index_select(d + 1, keep.nonzero()[:, 0])
    found[(slice(None), *at)] = values
    assert torch.allclose(found, answer, atol=1e-5) and answer.abs().max() > 1e-2


def test_between_taps_and_on_points_it_is_the_same_function():
    model = network(3, num_neighbors=8).train()
    model(torch.randn(50, 2), torch.rand(50, 3))
    for layer, conv in zip(render_kernels(model.eval(), resolution=5), model.convs, strict=True):
        assert not layer.on_lattice and layer.values.shape == (conv.in_channels, 5, 5, 5)
        rel = torch.stack([axis[i] for axis, i in zip(layer.axes, (1, 2, 3), strict=True)])
        with torch.no_grad():
            assert torch.allclose(layer.values[:, 1, 2, 3], conv.kernel.definition(rel), atol=1e-5)
        assert layer.axes[0][-1] == pytest.approx(float(conv.kernel.support()[0]), rel=1e-5)


def test_layers_are_named_in_the_order_of_their_windows():
    assert list(convolutions(network(1, block="flex", num_blocks=1))) == [
        "stem",
        "block 1, conv1",
        "block 1, conv2",
    ]
    model = network(2)
    assert list(convolutions(model).values()) == model.convs
    assert list(convolutions(FlexConv(2, 3, dim=1))) == ["convolution"]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"layers": [3]}, "layer 0 to 2, got 3"),
        ({"layers": [-1]}, "layer 0 to 2, got -1"),
        ({"resolution": 1}, "resolution of 2 or more, got 1"),
    ],
)
def test_what_there_is_not(kwargs, message):
    with pytest.raises(ValueError, match=message):
        render_kernels(network(1), **kwargs)


def test_kernels_without_an_end_are_refused():
    with pytest.raises(ValueError, match="stem: the kernel has no end"):
        render_kernels(network(1, window=None))
    with pytest.raises(ValueError, match="continuous convolutions, got Linear"):
        render_kernels(torch.nn.Linear(1, 1))
