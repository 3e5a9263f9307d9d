"""FlexNet: its convolutions as windowed sums over all pairs of samples, and the whole network with them."""

import pytest
import torch
from torch.nn import functional as F

from ccnn_geo.experiments.baselines.flexnet import FlexNet
from ccnn_geo.experiments.baselines.residual import ResNetBlock, TCNBlock
from ccnn_geo.functional.representations import grid_positions
from ccnn_geo.testing import assert_same_function

CASES = [
    ((13,), "tcn", True),
    ((16,), "resnet", False),
    ((6, 5), "resnet", False),
    ((4, 3, 3), "resnet", False),
]


def dense_sum(conv, x):
    """The definition over all pairs of samples, with the kernel as its formula says."""
    pos = grid_positions(x.shape[2:], dtype=x.dtype)
    kernel = conv.kernel.definition(pos.unsqueeze(1) - pos.unsqueeze(0))
    kernel = kernel.unflatten(-1, (conv.out_channels, conv.in_channels))
    y = torch.einsum("nmoc,bcm->bon", kernel, x.flatten(2)) + conv.bias.unsqueeze(-1)
    return y.unflatten(2, x.shape[2:])


def rebuilt(model, x):
    """The network of the docstring in plain torch, with batch statistics."""

    def norm(h, bn):
        return F.batch_norm(h, None, None, bn.weight, bn.bias, training=True, eps=bn.eps)

    tcn = model.stem is None
    if not tcn:
        x = F.relu(norm(dense_sum(model.stem, x), model.stem_norm))
    for block in model.blocks:
        h = F.relu(norm(dense_sum(block.conv1, x), block.norm1))
        h = norm(dense_sum(block.conv2, h), block.norm2)
        if block.shortcut is not None:
            x = torch.einsum("oc,bc...->bo...", block.shortcut.weight, x)
            x = x + block.shortcut.bias.view(-1, *[1] * (h.dim() - 2))
        x = F.relu((F.relu(h) if tcn else h) + x)
    return x.flatten(2).mean(2) @ model.head.weight.T + model.head.bias


def fresh(size, backbone, causal):
    model = FlexNet(
        2,
        3,
        len(size),
        hidden_channels=4,
        num_blocks=2,
        kernel_hidden=5,
        omega_0=2.0,
        backbone=backbone,
        causal=causal,
        window_init=0.4,
    ).double()
    x = torch.randn(3, 2, *size, dtype=torch.float64)
    model(x)  # scales the kernels, and has seen all offsets
    return model, x


@pytest.mark.parametrize(("size", "backbone", "causal"), CASES)
def test_convolution_is_the_windowed_sum_over_all_pairs(size, backbone, causal):
    model, x = fresh(size, backbone, causal)
    conv = model.stem or model.blocks[0].conv1
    assert conv.kernel.causal == causal
    assert_same_function(conv, lambda x: dense_sum(conv, x), [x], list(conv.parameters()), 1e-10)


@pytest.mark.parametrize(("size", "backbone", "causal"), CASES)
def test_network_is_its_definition(size, backbone, causal):
    model, x = fresh(size, backbone, causal)
    assert_same_function(model, lambda x: rebuilt(model, x), [x], list(model.parameters()), 1e-9)


def test_kernel_size_is_learnt():
    model, x = fresh((16,), "resnet", False)
    widths = [m.kernel.window.rho for m in [model.stem, model.blocks[1].conv2]]
    model(x).square().sum().backward()
    assert all(rho.grad.abs().sum() > 0 for rho in widths)


def test_parameters_are_about_the_published_375k():
    model = FlexNet(1, 10, 1, backbone="tcn", causal=True)
    assert sum(p.numel() for p in model.parameters()) == 373_312


@pytest.mark.parametrize("readout", ["global", "node"])
@pytest.mark.parametrize(("size", "backbone", "causal"), CASES)
def test_shapes(size, backbone, causal, readout):
    sizes = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "dropout": 0.1}
    model = FlexNet(2, 5, len(size), readout=readout, backbone=backbone, causal=causal, **sizes)
    assert model(torch.randn(2, 2, *size)).shape == ((2, 5) if readout == "global" else (2, 5, *size))
    assert type(model.blocks[0]) is (TCNBlock if backbone == "tcn" else ResNetBlock)


@pytest.mark.parametrize("backbone", ["resnet", "tcn"])
def test_training_lowers_the_loss(loss_falls, backbone):
    sizes = {"hidden_channels": 8, "num_blocks": 2, "kernel_hidden": 8, "omega_0": 5.0}
    assert loss_falls(FlexNet(2, 3, 1, backbone=backbone, **sizes), torch.randn(6, 2, 24))


def test_errors_say_what_was_given_and_expected():
    with pytest.raises(ValueError, match=r"backbone .*\['resnet', 'tcn'\], got 'unet'"):
        FlexNet(2, 3, 1, backbone="unet")
    with pytest.raises(ValueError, match=r"expected a grid \[batch, 2, S0, S1\], got \[1, 3, 8, 8\]"):
        FlexNet(2, 3, 2, 4, 1)(torch.randn(1, 3, 8, 8))
    with pytest.raises(ValueError, match=r"FlexNet: expected readout .* got 'last'"):
        FlexNet(2, 3, 1, readout="last")
