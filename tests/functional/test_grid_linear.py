"""The pointwise layer against torch's own, values, gradients and second ones."""

import pytest
import torch
from torch import nn

from ccnn_geo import testing
from ccnn_geo.channels import channel_linear
from ccnn_geo.functional.grid_linear import grid_linear


@pytest.mark.parametrize("size", [(7,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("shifted", [False, True])
def test_is_a_convolution_of_one_tap(size, shifted, dtype, device):
    layer = nn.Linear(5, 6).to(device, dtype)
    shift = torch.randn(5, device=device, dtype=dtype) if shifted else None

    def by_conv(x, *params):
        conv = (nn.functional.conv1d, nn.functional.conv2d, nn.functional.conv3d)[len(size) - 1]
        x = x if shift is None else x + shift.view(-1, *[1] * len(size))
        return conv(x, layer.weight.view(6, 5, *[1] * len(size)), layer.bias)

    x = torch.randn(3, 5, *size, dtype=dtype, device=device)
    testing.assert_same_function(
        lambda x: channel_linear(x, layer, shift), by_conv, (x,), list(layer.parameters())
    )


def test_points_and_grids_agree(dtype, device):
    layer = nn.Linear(5, 6).to(device, dtype)
    x, shift = torch.randn(11, 5, dtype=dtype, device=device), torch.randn(5, dtype=dtype, device=device)
    expected = layer(x + shift)
    testing.assert_close(channel_linear(x, layer, shift), expected)
    testing.assert_close(channel_linear(x.mT.unsqueeze(0), layer, shift)[0].mT, expected)


def test_large_grids_reuse_memory():
    layer, x = nn.Linear(8, 256), torch.randn(2, 8, 4096)
    first = channel_linear(x, layer).data_ptr()
    assert channel_linear(x, layer).data_ptr() == first


def test_second_derivatives():
    def run(x, weight, bias):
        return grid_linear(x, weight, bias)

    single = [torch.randn(s, requires_grad=True) for s in ((2, 3, 4), (5, 3), (5,))]
    double = [t.detach().double().requires_grad_() for t in single]
    assert torch.autograd.gradcheck(run, double) and torch.autograd.gradgradcheck(run, double)

    def second(leaves):
        grads = torch.autograd.grad(run(*leaves).square().sum(), leaves, create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in grads), leaves)

    for a, e in zip(second(single), second(double), strict=True):
        torch.testing.assert_close(a.double(), e, rtol=1e-4, atol=1e-3)


def test_reduced_precision_on_request(device):
    layer, x = nn.Linear(5, 6).to(device), torch.randn(3, 5, 7, device=device)
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
        out = channel_linear(x, layer, torch.randn(5, device=device))
    assert out.dtype == torch.bfloat16
