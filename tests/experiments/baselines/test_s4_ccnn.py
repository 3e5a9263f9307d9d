"""A CCNN's frame with S4 in it: its formula, what it counts, and how it is to be trained."""

import pytest
import torch
from torch.nn import functional as F

from ccnn_geo import CCNN
from ccnn_geo.experiments.baselines.s4 import S4
from ccnn_geo.experiments.baselines.s4_ccnn import S4Conv, parameter_groups, with_s4


def frame(hidden=6, blocks=2, **kwargs):
    return CCNN(2, 3, 1, hidden, blocks, kernel_hidden=4, causal=True, **kwargs)


def across(x, linear):
    """A linear layer on the channels of [B, C, L]."""
    return torch.einsum("oc,bcl->bol", linear.weight, x) + linear.bias.view(1, -1, 1)


def test_it_is_the_formula():
    net = with_s4(frame(), state=8)
    x = torch.randn(4, 2, 30)
    net(x)  # scales the head, and gives the norms statistics
    net.eval()
    h = F.gelu(net.stem_norm(across(net.stem.s4(x), net.stem.pointwise)))
    for block in net.blocks:
        h = h + F.gelu(across(F.gelu(block.conv.s4(block.norm(h))), block.linear))
    expected = F.linear(net.norm(h).mean(dim=2), net.head.linear.weight, net.head.linear.bias)
    torch.testing.assert_close(net(x), expected, rtol=1e-4, atol=1e-5)


def test_no_output_sees_the_future():
    net = with_s4(frame(readout="node"), state=8)
    x = torch.randn(2, 2, 40)
    net(x)
    net.eval()
    changed = x.clone()
    changed[..., 25:] = 0
    before, after = net(x), net(changed)
    torch.testing.assert_close(before[..., :25], after[..., :25])
    assert (before[..., 25:] - after[..., 25:]).abs().max() > 1e-3


def test_width_140_has_227068_parameters():
    net = with_s4(CCNN.from_preset("ccnn_4_140", 1, 1, 10, causal=True))
    system = 2 + 32 * (2 + 3 * 2)  # step and D; pole, p, B and C of each of 32 pairs
    stem, norms = system + 2 * 140, 6 * 2 * 140
    blocks = 4 * (140 * system + 140 * 140 + 140)
    assert sum(p.numel() for p in net.parameters()) == stem + norms + blocks + 1410 == 227_068
    assert not net.convs


@pytest.mark.parametrize("lr, slow", [(0.01, 1e-3), (1e-4, 1e-4)])
def test_systems_are_trained_slowly_and_without_decay(lr, slow):
    net = with_s4(frame(), state=8)
    rest, systems = parameter_groups(net, lr, 0.05)
    assert (rest["lr"], rest["weight_decay"]) == (lr, 0.05)
    assert (systems["lr"], systems["weight_decay"]) == (slow, 0.0)
    both = [id(p) for group in (rest, systems) for p in group["params"]]
    assert len(both) == len(set(both)) and set(both) == {id(p) for p in net.parameters()}
    names = {id(p): name for name, p in net.named_parameters()}
    assert {names[id(p)].rsplit(".", 1)[-1] for p in systems["params"]} == {
        "log_step",
        "log_decay",
        "frequency",
        "p",
        "b",
    }
    assert len(systems["params"]) == 5 * 3 and all(".s4." in names[id(p)] for p in systems["params"])


def test_training_lowers_the_loss(loss_falls):
    assert loss_falls(with_s4(frame(), state=8), torch.randn(6, 2, 32))


def test_what_has_no_place_for_it_is_refused():
    for net in (
        CCNN(1, 2, 2, 4, 1, kernel_hidden=4),
        CCNN(1, 2, 1, 4, 1, kernel_hidden=4),
        frame(block="flex"),
    ):
        with pytest.raises(ValueError, match="with_s4: expected a causal CCNN of dimension 1"):
            with_s4(net)
    with pytest.raises(ValueError, match=r"expected no spacing.*got 0\.5"):
        with_s4(frame())(torch.randn(1, 2, 8), spacing=0.5)


def test_equal_widths_need_no_pointwise_layer():
    conv = S4Conv(4, 4, state=8)
    x = torch.randn(2, 4, 12)
    assert conv.pointwise is None and isinstance(conv.s4, S4)
    torch.testing.assert_close(conv(x), conv.s4(x))
