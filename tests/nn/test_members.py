"""Several networks side by side are those networks, and their answer is the mean of theirs."""

import copy

import pytest
import torch
from torch.nn import functional as F

from ccnn_geo import CCNN
from ccnn_geo.functional.pointwise.linear import channel_linear
from ccnn_geo.nn.grouped_linear import GroupedLinear, make_linear
from ccnn_geo.nn.point_field import PointField
from ccnn_geo.nn.set_branch import SetBranch

MEMBERS, WIDTH, CLASSES = 3, 6, 4
SIZES = {"hidden_channels": WIDTH, "num_blocks": 2, "kernel_hidden": 5, "num_neighbors": 8}


def committee(**given):
    torch.manual_seed(0)
    return CCNN(4, CLASSES, 3, members=MEMBERS, **{**SIZES, **given}).double()


def member(network, m, **given):
    """A plain network of the channels of one member, in the mode of the whole."""
    plain = CCNN(4, CLASSES, 3, **{**SIZES, **given}).double()
    own = slice(m * WIDTH, (m + 1) * WIDTH)
    state = {}
    for key, value in network.state_dict().items():
        wanted = plain.state_dict()[key].shape
        if key == "head.linear.weight":
            value = value.unflatten(1, (-1, MEMBERS, WIDTH))[:, :, m].flatten(1)
        elif key.startswith("head.norm."):
            value = value.unflatten(0, (-1, MEMBERS, WIDTH))[:, m].flatten() if value.dim() else value
        elif value.shape != wanted:
            value = value[own]
        state[key] = value.reshape(wanted)
    plain.load_state_dict(state)
    return plain.train(network.training)


def inputs(kind):
    if kind == "grid":
        return {"x": torch.randn(4, 4, 5, 4, 3, dtype=torch.float64)}
    batch = torch.arange(60) // 15
    return {"x": torch.randn(60, 4, dtype=torch.float64), "pos": torch.rand(60, 3), "batch": batch}


CASES = [
    ("points", {}),
    ("points", {"pool": "mean_max"}),
    ("points", {"pool": "sum"}),
    ("points", {"block": "flex"}),
    ("points", {"block": "gated"}),
]
CASES += [
    ("points", {"readout": "node"}),
    ("points", {"measure": "density"}),
    ("grid", {}),
    ("grid", {"readout": "node"}),
]


@pytest.mark.parametrize(("kind", "given"), CASES)
def test_each_member_is_a_network(kind, given):
    network, given_to = committee(**given), inputs(kind)
    network(**given_to)  # sets the scales
    each = network(**given_to).unflatten(0, (MEMBERS, -1))
    for m in range(MEMBERS):
        torch.testing.assert_close(member(network, m, **given)(**given_to), each[m], rtol=1e-9, atol=1e-11)
    network.eval()
    plain = [member(network, m, **given)(**given_to) for m in range(MEMBERS)]
    torch.testing.assert_close(network(**given_to), torch.stack(plain).mean(0), rtol=1e-9, atol=1e-11)


def test_members_learn_by_themselves():
    network, given = committee(), inputs("points")
    network(**given)
    y = torch.tensor([0, 3, 1, 1])
    F.cross_entropy(network(**given), y.repeat(MEMBERS), reduction="sum").backward()
    for m in range(MEMBERS):
        plain = member(network, m)
        F.cross_entropy(plain(**given), y, reduction="sum").backward()
        own = slice(m * WIDTH, (m + 1) * WIDTH)
        for block, other in zip(network.blocks, plain.blocks, strict=True):
            torch.testing.assert_close(
                block.linear.weight.grad[own], other.linear.weight.grad, rtol=1e-8, atol=1e-11
            )
            torch.testing.assert_close(
                block.conv.pointwise.weight.grad[own], other.conv.pointwise.weight.grad, rtol=1e-8, atol=1e-11
            )
        torch.testing.assert_close(
            network.head.linear.weight.grad[:, own], plain.head.linear.weight.grad, rtol=1e-8, atol=1e-11
        )


def test_members_begin_apart_and_with_unit_variance():
    network = committee().float()
    batch = torch.arange(600) // 15
    each = network(torch.randn(600, 4), torch.rand(600, 3), batch).unflatten(0, (MEMBERS, -1))
    assert each.var().item() == pytest.approx(1, abs=0.02)
    flat = each.flatten(1)
    assert torch.corrcoef(flat - flat.mean(1, keepdim=True)).fill_diagonal_(0).abs().max() < 0.6


def test_it_is_saved_and_read(tmp_path):
    network = committee().float()
    given = {key: value.float() if key == "x" else value for key, value in inputs("points").items()}
    network(**given)
    network.eval().save_pretrained(tmp_path / "network")
    again = CCNN.from_pretrained(tmp_path / "network")
    assert again.members == MEMBERS
    torch.testing.assert_close(again(**given), network(**given), rtol=0, atol=0)


def test_composition_is_added_to_each():
    network, given = committee(composition=True), inputs("points")
    network.composition.fit(torch.randn(30, 4), torch.randn(30, CLASSES))
    network(**given)
    each = network(**given).unflatten(0, (MEMBERS, -1))
    for m in range(MEMBERS):
        torch.testing.assert_close(
            member(network, m, composition=True)(**given), each[m], rtol=1e-9, atol=1e-11
        )


def test_a_field_of_points():
    network, given = committee(readout="node"), inputs("points")
    x, pos = given["x"], given["pos"].double()
    network(x, pos)
    field = PointField(network.eval(), x, pos)
    torch.testing.assert_close(field(pos[:10]), field.output[:10], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("shape", [(7, 12), (2, 12, 5), (2, 12, 3, 4)])
def test_groups_are_a_block_diagonal_matrix(shape):
    layer = GroupedLinear(12, 6, 3).double()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    shift = torch.randn(12, dtype=torch.float64)
    dense = torch.block_diag(*layer.weight.unflatten(0, (3, 2)))
    wanted = torch.einsum("oc,bc...->bo...", dense, x + shift.view(-1, *[1] * (x.dim() - 2)))
    wanted = wanted + layer.bias.view(-1, *[1] * (x.dim() - 2))
    found = channel_linear(x, layer, shift=shift)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(layer(x), channel_linear(x, layer))
    weight = torch.randn_like(found)
    one, other = (torch.autograd.grad((y * weight).sum(), (x, layer.weight)) for y in (found, wanted))
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("kind", ["points", "grid"])
def test_a_branch_answers_beside_the_members(kind):
    network, given = committee(set_channels=3), inputs(kind)
    network(**given)
    each = network(**given)
    assert each.shape == (4 * (MEMBERS + 1), CLASSES)
    torch.manual_seed(1)  # of dropout
    own = network.set_branch(given["x"], given.get("batch"))
    assert own.shape == (4, CLASSES)
    network.eval()
    alone = committee().eval()
    alone.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("set_branch")})
    own = network.set_branch(given["x"], given.get("batch"))
    torch.testing.assert_close(network(**given), (alone(**given) + own) / 2)


def test_the_branch_sees_points_alone_and_keeps_the_largest():
    branch = SetBranch(4, CLASSES, channels=3).double().eval()
    x = torch.randn(30, 4, dtype=torch.float64)
    each = torch.stack([branch.forward(part) for part in x.split(10)])[:, 0]
    torch.testing.assert_close(branch(x, torch.arange(30) // 10), each)
    twice = torch.cat([x[:10], x[:10].flip(0)])
    torch.testing.assert_close(branch(twice), branch(x[:10]))
    torch.testing.assert_close(branch(x[:10].T.reshape(1, 4, 5, 2)), branch(x[:10]))
    with pytest.raises(ValueError, match="channels >= 1, got -1"):
        SetBranch(4, CLASSES, -1)


def test_a_committee_is_one_network_when_copied():
    network, given = committee().eval(), inputs("points")
    torch.testing.assert_close(copy.deepcopy(network)(**given), network(**given))


@pytest.mark.parametrize("given", [{"members": 0}, {"groups": 2}, {"set_channels": 4, "readout": "node"}])
def test_what_cannot_be_is_refused(given):
    with pytest.raises(ValueError, match=r"members|set_channels"):
        CCNN(4, CLASSES, 3, **SIZES, **given)


def test_groups_divide_the_channels():
    assert type(make_linear(4, 4)) is torch.nn.Linear
    with pytest.raises(ValueError, match="divide the channels, got 3 groups for 8"):
        GroupedLinear(8, 6, 3)
