"""Global CNN: its convolution, the whole network with torch's convolutions, and CCNN with the same taps."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ccnn_geo import CCNN
from ccnn_geo.experiments.baselines.global_cnn import GlobalCNN
from ccnn_geo.experiments.baselines.separable_conv import SeparableConv
from ccnn_geo.testing import assert_close, assert_same_function
from tests.pairwise import pairwise

CONVS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
SIZES = [(13,), (16,), (6, 5), (5, 4, 3)]
DOUBLE = {"dtype": torch.float64}


def depthwise(x, taps, center):
    """Correlation with the flipped taps, of which tap ``center`` lies on the output."""
    pads = [
        p for k, m in zip(reversed(taps.shape[1:]), reversed(center), strict=True) for p in (k - 1 - m, m)
    ]
    weight = taps.flip(*range(1, taps.dim())).unsqueeze(1)
    return CONVS[x.dim() - 2](F.pad(x, pads), weight, groups=x.size(1))


def full(size):
    return tuple(2 * s - 1 for s in size)


@pytest.mark.parametrize("method", ["fft", "direct", "auto"])
@pytest.mark.parametrize(
    ("size", "kernel_size", "center"),
    [(s, full(s), tuple(n - 1 for n in s)) for s in SIZES]  # from every sample to every other
    + [(s, s, tuple(n // 2 for n in s)) for s in SIZES]  # as large as the input, odd and even
    + [((13,), (13,), None), ((16,), (16,), None), ((16,), (9,), None), ((9,), (16,), None)],
)
def test_convolution_is_that_of_torch(size, kernel_size, center, method):
    conv = SeparableConv(3, 2, kernel_size, causal=center is None, method=method).double()
    with torch.no_grad():
        conv.bias.normal_(), conv.pointwise.bias.normal_()

    def by_torch(x):
        y = depthwise(x, conv.weight, center or (0,)) + conv.bias.view(-1, *[1] * len(size))
        y = torch.einsum("oc,bc...->bo...", conv.pointwise.weight, y)
        return y + conv.pointwise.bias.view(-1, *[1] * len(size))

    assert_same_function(conv, by_torch, [torch.randn(2, 3, *size, **DOUBLE)], list(conv.parameters()), 1e-12)


@pytest.mark.parametrize(("size", "kernel_size"), [((4096,), (9,)), ((64, 64), (5, 5)), ((4096,), (301,))])
def test_white_signals_keep_their_variance(size, kernel_size):
    out = SeparableConv(8, 32, kernel_size)(torch.randn(2, 8, *size))
    assert 0.5 < out.var() < 2


def test_causal_output_does_not_see_the_future():
    conv = SeparableConv(1, 1, (8,), causal=True).double()
    x = torch.randn(1, 1, 8, requires_grad=True, **DOUBLE)
    conv(x)[0, 0, 4].backward()
    assert (x.grad[0, 0, :5].abs() > 1e-9).all()
    assert x.grad[0, 0, 5:].abs().max() < 1e-12


def rebuilt(model, x):
    """The network of Fig. 5 and 7 in plain torch."""
    net = model.network

    def norm(h, bn):
        return F.batch_norm(h, None, None, bn.weight, bn.bias, training=True, eps=bn.eps)

    def linear(h, layer):
        return torch.einsum("oc,bc...->bo...", layer.weight, h) + layer.bias.view(-1, *[1] * (h.dim() - 2))

    def conv(h, layer):
        bias = layer.bias.view(-1, *[1] * (h.dim() - 2))
        return linear(depthwise(h, layer.weight, layer.center) + bias, layer.pointwise)

    h = F.gelu(norm(conv(x, net.stem), net.stem_norm))
    for block in net.blocks:
        branch = F.gelu(conv(norm(h, block.norm), block.conv))
        h = h + F.gelu(linear(branch, block.linear))
    return (
        norm(h, net.norm).mean(dim=tuple(range(2, h.dim()))) @ net.head.linear.weight.T + net.head.linear.bias
    )


@pytest.mark.parametrize("size", SIZES)
def test_network_is_that_of_torch(size):
    causal = size == (16,)
    model = GlobalCNN(2, 3, len(size), size if causal else full(size), 4, 2, causal=causal).double()
    x = torch.randn(5, 2, *size, **DOUBLE)
    model(x)  # scales the head
    assert_same_function(model, lambda x: rebuilt(model, x), [x], list(model.parameters()), 1e-10)


@pytest.mark.parametrize(
    *pairwise({"size": SIZES, "training": [True, False], "block": ["ccnn", "s4", "flex"]})
)
def test_with_the_taps_of_a_ccnn_it_is_that_ccnn(size, training, block):
    dim, causal = len(size), size == (16,)
    sizes = {"hidden_channels": 4, "num_blocks": 2, "block": block, "causal": causal}
    ccnn = CCNN(2, 3, dim, kernel_hidden=4, omega_0=3.0, window_init=0.6, **sizes).double().train(training)
    model = GlobalCNN(2, 3, dim, size if causal else full(size), **sizes).double().train(training)
    x = torch.randn(5, 2, *size, **DOUBLE)
    ccnn(x)  # scales kernels and head, and has seen all offsets
    model.network.load_state_dict(ccnn.state_dict(), strict=False)
    for discrete, continuous in zip(model.convs, ccnn.convs, strict=True):
        offsets, center = continuous.kernel_taps(size)
        start = [m - c for m, c in zip(discrete.center, center, strict=True)]
        inside = tuple(slice(a, a + n) for a, n in zip(start, offsets.shape, strict=False))
        with torch.no_grad():
            discrete.weight.zero_()
            discrete.weight[(slice(None), *inside)] = continuous.kernel.definition(offsets).movedim(-1, 0)
    assert_same_function(ccnn, model, [x], tol=1e-10)


@pytest.mark.parametrize("block", ["ccnn", "flex"])
def test_only_kernels_differ_from_ccnn(block):
    sizes = {"hidden_channels": 6, "num_blocks": 2, "block": block, "causal": True}
    ccnn, model = CCNN(3, 10, 1, **sizes), GlobalCNN(3, 10, 1, 32, **sizes)
    rest = {n: p.shape for n, p in ccnn.named_parameters() if ".kernel." not in n}
    taps = {f"{n}.weight" for n, m in model.network.named_modules() if isinstance(m, SeparableConv)}
    assert {n: p.shape for n, p in model.network.named_parameters() if n not in taps} == rest
    assert sum(c.weight.numel() for c in model.convs) == 32 * sum(c.in_channels for c in ccnn.convs)


@pytest.mark.parametrize(
    ("width", "blocks", "length", "count"),
    [(140, 4, 1024, 738_645), (380, 6, 1024, 4_088_845), (140, 4, 16000, 9_170_133)],
)
def test_parameter_counts_grow_with_the_input(width, blocks, length, count):
    model = GlobalCNN(3, 10, 1, length, width, blocks, causal=True)
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize("readout", ["global", "node"])
@pytest.mark.parametrize("size", SIZES)
def test_shapes_and_unit_variance(size, readout):
    model = GlobalCNN(2, 5, len(size), full(size), 8, 2, readout, dropout=0.1)
    out = model(torch.randn(6, 2, *size))
    assert out.shape == ((6, 5) if readout == "global" else (6, 5, *size))
    model.reset_parameters()
    assert not model.network.head.scale.is_known
    assert 0.5 < model.eval()(torch.randn(6, 2, *size)).var() < 2


def test_another_length_meets_the_same_taps():
    model = GlobalCNN(1, 2, 1, 8, 4, 1, readout="node", causal=True).eval()
    x = torch.randn(1, 1, 12)
    assert_close(model(x)[..., :5], model(x[..., :5]), 1e-5)


def test_autocast_keeps_the_transform_in_full_precision():
    conv = SeparableConv(2, 2, (16,), causal=True, method="fft")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = conv(torch.randn(1, 2, 16, dtype=torch.bfloat16))
    assert out.isfinite().all()


def test_training_lowers_the_loss(loss_falls):
    assert loss_falls(GlobalCNN(2, 3, 1, 32, 8, 2, causal=True), torch.randn(6, 2, 32))


def test_errors_say_what_was_given_and_expected():
    model = GlobalCNN(2, 3, 2, (5, 7), 4, 1)
    for x in (torch.randn(1, 2, 5), torch.randn(1, 3, 5, 7)):
        with pytest.raises(ValueError, match=r"expected a grid \[batch, 2, S0, S1\], got \[1, "):
            model(x)
    with pytest.raises(ValueError, match=r"GlobalCNN: expected kernel_size .* 2 of them, got \(5, 7, 9\)"):
        GlobalCNN(2, 3, 2, (5, 7, 9))
    with pytest.raises(ValueError, match=r"kernel_size .*got 0"):
        GlobalCNN(2, 3, 1, 0)
    with pytest.raises(ValueError, match=r"causal kernel has one axis, got kernel_size \(5, 5\)"):
        GlobalCNN(2, 3, 2, 5, causal=True)
    with pytest.raises(ValueError, match=r"method .* got 'wavelet'"):
        GlobalCNN(2, 3, 1, 5, method="wavelet")
    with pytest.raises(ValueError, match=r"readout .* got 'last'"):
        GlobalCNN(2, 3, 1, 5, readout="last")
    with pytest.raises(ValueError, match=r"no spacing, got 0\.1"):
        SeparableConv(2, 3, (5,))(torch.randn(1, 2, 5), spacing=0.1)
    with pytest.raises(ValueError, match="channels >= 1, got in=0"):
        SeparableConv(0, 3, (5,))
    with pytest.raises(ValueError, match=r"1 to 3 kernel sizes >= 1, got \(\)"):
        SeparableConv(2, 3, ())


def test_repr_names_the_kernel():
    conv = GlobalCNN(2, 3, 1, 9, 4, 1, causal=True).convs[0]
    assert isinstance(conv, nn.Module)
    assert "2, 4, kernel_size=(9,), causal=True" in repr(conv)
