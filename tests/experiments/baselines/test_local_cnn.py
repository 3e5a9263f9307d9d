"""Local CNN: its depth, its receptive field, and the whole network with torch's layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ccnn_geo.experiments.baselines.local_cnn import LocalCNN, depth
from ccnn_geo.testing import assert_same_function

CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
POOLS = {
    "max": {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d},
    "average": {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d},
}


@pytest.mark.parametrize(("length", "blocks"), [(1024, 8), (4096, 10), (8192, 11), (16000, 12)])
def test_depth_is_that_of_the_paper(length, blocks):
    assert depth(length) == blocks
    assert len(LocalCNN(1, 2, 1, length, hidden_channels=2).network.blocks) == blocks


@pytest.mark.parametrize("kernel_size", [3, 5, 7])
def test_depth_is_the_smallest_that_covers_the_input(kernel_size):
    for length in range(1, 200):
        n = depth(length, kernel_size)
        assert kernel_size * 2**n >= length
        assert n == 1 or kernel_size * 2 ** (n - 1) < length


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("length", [16, 31, 33, 40, 41, 80, 100])
def test_a_cell_of_the_last_block_sees_the_whole_input(length, causal):
    model = LocalCNN(2, 3, 1, length, 6, causal=causal, downsampling="average").double().eval()
    x = torch.randn(1, 2, length, dtype=torch.float64, requires_grad=True)
    seen = []
    model.network.blocks[-1].register_forward_hook(lambda module, args, out: seen.append(out))
    model(x)
    cells = seen[0].size(-1)
    assert cells == -(-length // 2 ** depth(length))
    seen[0][0, :, -1 if causal else cells // 2].sum().backward()
    assert (x.grad.abs().sum(dim=1) > 0).all()


def test_a_block_less_would_not_do():
    model = LocalCNN(1, 2, 1, 80, 6, num_blocks=depth(80) - 1, causal=True, downsampling="average").eval()
    x = torch.randn(1, 1, 80, requires_grad=True)
    seen = []
    model.network.blocks[-1].register_forward_hook(lambda module, args, out: seen.append(out))
    model(x)
    seen[0][0, :, -1].sum().backward()
    assert (x.grad[0, 0] != 0).sum() == 40


@pytest.mark.parametrize("downsampling", ["max", "average"])
@pytest.mark.parametrize("size", [(37,), (21, 12), (11, 8, 6)])
def test_shapes_halve_with_every_block(size, downsampling):
    model = LocalCNN(2, 3, len(size), size, 4, readout="node", downsampling=downsampling)
    sizes = []
    for block in model.network.blocks:
        block.register_forward_hook(lambda module, args, out: sizes.append((args[0].shape, out.shape)))
    out = model(torch.randn(2, 2, *size))
    assert len(sizes) == depth(max(size))
    for before, after in sizes:
        assert after == (*before[:2], *(-(-s // 2) for s in before[2:]))
    assert out.shape == (2, 3, *sizes[-1][1][2:])


def rebuilt(model, size, causal, downsampling):
    """The same network of torch's own layers, which share the parameters' values."""
    net, dim = model.network, len(size)

    def conv(layer):
        same = CONVS[dim](
            layer.in_channels, layer.in_channels, 5, groups=layer.in_channels, dtype=torch.float64
        )
        mix = CONVS[dim](layer.in_channels, layer.out_channels, 1, dtype=torch.float64)
        same.weight = nn.Parameter(layer.weight.detach().flip(*range(1, dim + 1)).unsqueeze(1))
        mix.weight = nn.Parameter(layer.pointwise.weight.detach()[(...,) + (None,) * dim])
        same.bias, mix.bias = layer.bias, layer.pointwise.bias
        pads = (4, 0) if causal else (2, 2) * dim
        return lambda h: mix(same(F.pad(h, pads)))

    def linear(layer):
        return lambda h: torch.einsum("oc,bc...->bo...", layer.weight, h) + layer.bias.view(-1, *[1] * dim)

    def norm(bn):
        return lambda h: F.batch_norm(h, None, None, bn.weight, bn.bias, training=True, eps=bn.eps)

    pool = POOLS[downsampling][dim](2, ceil_mode=True)

    def forward(x):
        h = F.gelu(norm(net.stem_norm)(conv(net.stem)(x)))
        for block in (b.block for b in net.blocks):
            branch = F.gelu(conv(block.conv)(norm(block.norm)(h)))
            h = pool(h + F.gelu(linear(block.linear)(branch)))
        return norm(net.norm)(h).flatten(2).mean(2) @ net.head.linear.weight.T + net.head.linear.bias

    return forward


@pytest.mark.parametrize("downsampling", ["max", "average"])
@pytest.mark.parametrize(
    ("size", "causal"), [((37,), True), ((37,), False), ((21, 12), False), ((11, 8, 6), False)]
)
def test_network_is_that_of_torch(size, causal, downsampling):
    model = LocalCNN(2, 3, len(size), size, 4, causal=causal, downsampling=downsampling).double()
    x = torch.randn(4, 2, *size, dtype=torch.float64)
    model(x)  # scales the head
    assert_same_function(model, rebuilt(model, size, causal, downsampling), [x], tol=1e-10)


def test_training_lowers_the_loss(loss_falls):
    assert loss_falls(LocalCNN(2, 3, 1, 32, 8, causal=True, dropout=0.01), torch.randn(6, 2, 32))


def test_fresh_parameters_take_a_fresh_scale():
    model = LocalCNN(2, 3, 1, 32, 8).eval()
    model(torch.randn(4, 2, 32))
    model.reset_parameters()
    assert not model.network.head.scale.is_known
    assert 0.5 < model(torch.randn(4, 2, 32)).var() < 2


def test_errors_say_what_was_given_and_expected():
    with pytest.raises(ValueError, match=r"downsampling .*\['average', 'max'\], got 'median'"):
        LocalCNN(2, 3, 1, 32, downsampling="median")
    with pytest.raises(ValueError, match=r"LocalCNN: expected size .* 1 of them, got \(32, 32\)"):
        LocalCNN(2, 3, 1, (32, 32))
    with pytest.raises(ValueError, match="got 0 and 5"):
        depth(0)
    with pytest.raises(ValueError, match=r"expected a grid \[batch, 2, S0\], got \[1, 3, 32\]"):
        LocalCNN(2, 3, 1, 32, 4)(torch.randn(1, 3, 32))
    assert "downsampling='max'" in repr(LocalCNN(2, 3, 1, 32, 4))
