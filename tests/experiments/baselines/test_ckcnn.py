"""CKCNN: its convolutions as sums over all pairs of samples, and the whole network with them."""

import pytest
import torch
from torch.nn import functional as F

from ccnn_geo.experiments.baselines.ckcnn import CKCNN
from ccnn_geo.experiments.baselines.residual import TCNBlock
from ccnn_geo.functional.representations import grid_positions
from ccnn_geo.testing import assert_same_function

SIZES = [(13,), (16,), (5, 4), (4, 3, 3)]


def dense_sum(conv, x):
    """The definition over all pairs of samples, with the kernel as its formula says."""
    pos = grid_positions(x.shape[2:], dtype=x.dtype)
    kernel = conv.kernel.definition(pos.unsqueeze(1) - pos.unsqueeze(0))
    kernel = kernel.unflatten(-1, (conv.out_channels, conv.in_channels))
    y = torch.einsum("nmoc,bcm->bon", kernel, x.flatten(2)) + conv.bias.unsqueeze(-1)
    return y.unflatten(2, x.shape[2:])


def siren(network, r):
    """Two layers of sines and a linear one, by hand."""
    for layer in network.hidden:
        r = torch.sin(network.omega_0 * (r @ layer.weight.T + layer.bias))
    return r @ network.output.weight.T + network.output.bias


def rebuilt(model, x):
    """The network of the docstring in plain torch."""

    def norm(h, layer):
        dims = tuple(range(1, h.dim()))
        h = (h - h.mean(dims, keepdim=True)) / (h.var(dims, unbiased=False, keepdim=True) + layer.eps).sqrt()
        shape = (-1, *[1] * (h.dim() - 2))
        return h * layer.weight.view(shape) + layer.bias.view(shape)

    for block in model.blocks:
        h = F.relu(norm(dense_sum(block.conv1, x), block.norm1))
        h = F.relu(norm(dense_sum(block.conv2, h), block.norm2))
        if block.shortcut is not None:
            x = torch.einsum("oc,bc...->bo...", block.shortcut.weight, x)
            x = x + block.shortcut.bias.view(-1, *[1] * (h.dim() - 2))
        x = F.relu(h + x)
    return x.flatten(2).mean(2) @ model.head.weight.T + model.head.bias


def fresh(size, **kwargs):
    model = CKCNN(2, 3, len(size), 4, 2, kernel_hidden=5, omega_0=5.0, **kwargs).double()
    x = torch.randn(3, 2, *size, dtype=torch.float64)
    model(x)  # scales the kernels, and has seen all offsets
    return model, x


@pytest.mark.parametrize("size", SIZES)
def test_convolution_is_the_sum_over_all_pairs(size):
    model, x = fresh(size)
    conv = model.blocks[0].conv1
    assert conv.kernel.causal == (len(size) == 1)
    assert_same_function(conv, lambda x: dense_sum(conv, x), [x], list(conv.parameters()), 1e-10)


def test_kernel_is_a_siren_on_all_of_the_past():
    model, x = fresh((13,))
    kernel = model.blocks[0].conv1.kernel
    r = torch.linspace(-2, 2, 25, dtype=torch.float64).unsqueeze(-1)
    expected = siren(kernel.network, r) * (r >= 0)
    assert_same_function(kernel, lambda r: siren(kernel.network, r) * (r >= 0), [r], tol=1e-10)
    assert (expected[12:].abs().sum(-1) > 0).all() and kernel.window is None
    x.requires_grad_()
    model.blocks[0].conv1(x)[0, :, 6].sum().backward()
    assert (x.grad[0, :, :7].abs() > 1e-9).all() and x.grad[0, :, 7:].abs().max() < 1e-12


@pytest.mark.parametrize("size", SIZES)
def test_network_is_its_definition(size):
    model, x = fresh(size)
    assert_same_function(model, lambda x: rebuilt(model, x), [x], list(model.parameters()), 1e-9)


def test_parameters_are_the_published_98k_less_weight_norm():
    model = CKCNN(1, 10, 1)
    count = sum(p.numel() for p in model.parameters())
    outputs = [
        m.out_features for n, m in model.named_modules() if ".network." in n and hasattr(m, "out_features")
    ]
    assert count == 95_300
    assert sum(outputs) == 2_986 and round(count + sum(outputs), -3) == 98_000


@pytest.mark.parametrize("readout", ["global", "node"])
@pytest.mark.parametrize("size", SIZES)
def test_shapes(size, readout):
    model = CKCNN(2, 5, len(size), 4, 1, kernel_hidden=4, readout=readout, dropout=0.1)
    assert model(torch.randn(2, 2, *size)).shape == ((2, 5) if readout == "global" else (2, 5, *size))
    assert all(isinstance(block, TCNBlock) for block in model.blocks)


def test_training_lowers_the_loss(loss_falls):
    assert loss_falls(CKCNN(2, 3, 1, 8, kernel_hidden=8), torch.randn(6, 2, 24))


def test_errors_say_what_was_given_and_expected():
    with pytest.raises(ValueError, match=r"expected a grid \[batch, 2, S0\], got \[1, 3, 8\]"):
        CKCNN(2, 3, 1, 4)(torch.randn(1, 3, 8))
    with pytest.raises(ValueError, match=r"CKCNN: expected readout .* got 'last'"):
        CKCNN(2, 3, 1, readout="last")
    with pytest.raises(ValueError, match="num_blocks and out_channels >= 1, got 0, 3"):
        CKCNN(2, 3, 1, num_blocks=0)
    with pytest.raises(ValueError, match="dim == 1, got dim=2"):
        CKCNN(2, 3, 2, causal=True)
