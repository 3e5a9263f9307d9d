"""A network evaluated anywhere: at its own points it is itself, elsewhere its formula, layer by layer."""

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.nn import point_field
from ccnn_geo.nn.point_field import PointField


def make(block="ccnn", **changes):
    torch.manual_seed(0)
    sizes = {"hidden_channels": 6, "num_blocks": 2, "kernel_hidden": 4, "num_neighbors": 10}
    network = CCNN(2, 4, 3, readout="node", block=block, **{**sizes, **changes}).double()
    x, pos = torch.randn(150, 2, dtype=torch.double), torch.rand(150, 3, dtype=torch.double)
    network(x, pos)  # sets the scales, and moves the running statistics
    return network.eval(), x, pos


def convolved(conv, x, pos, at):
    """The layer by its definition: a kernel per pair of a target and one of its nearest sources."""
    near = torch.cdist(at, pos).topk(conv.num_neighbors, largest=False).indices
    values = conv.kernel.definition(at[:, None] - pos[near])
    return conv.mix((values * x[near]).sum(1))


def by_formula(network, x, pos, at):
    gelu = torch.nn.functional.gelu
    h, h_at = (gelu(network.stem_norm(convolved(network.stem, x, pos, p))) for p in (pos, at))
    for block in network.blocks:
        branch = [gelu(block.linear(gelu(convolved(block.conv, block.norm(h), pos, p)))) for p in (pos, at)]
        h, h_at = h + branch[0], h_at + branch[1]
    return network.head.linear(network.norm(h_at))


@torch.no_grad()
def test_anywhere_it_is_the_formula(monkeypatch):
    network, x, pos = make()
    at = torch.rand(90, 3, dtype=torch.double)
    field = PointField(network, x, pos)
    expected = by_formula(network, x, pos, at)
    assert torch.allclose(field(at), expected, atol=1e-10)
    monkeypatch.setattr(point_field, "CHUNK_EDGES", 70)  # seven targets at a time
    assert torch.allclose(field(at), expected, atol=1e-10)


@torch.no_grad()
@pytest.mark.parametrize(
    "changes", [{}, {"method": "mesh"}, {"num_neighbors": None}, {"num_neighbors": 500}], ids=str
)
@pytest.mark.parametrize("block", ["ccnn", "s4", "flex", "gated"])
def test_at_its_points_it_is_the_network(block, changes):
    network, x, pos = make(block, **changes)
    field, expected = PointField(network, x, pos), network(x, pos)
    assert torch.equal(field.output, expected)
    assert torch.allclose(field(pos[40:80]), expected[40:80], atol=1e-10)
    assert torch.allclose(network(x, pos), expected)  # nothing of it stays in the network


def test_other_networks_are_refused():
    network, x, pos = make()
    with pytest.raises(
        ValueError, match="readout 'node' in evaluation mode, got readout 'node' in training mode"
    ):
        PointField(network.train(), x, pos)
    network = CCNN(2, 4, 3, hidden_channels=4, num_blocks=1, kernel_hidden=4).eval()
    with pytest.raises(ValueError, match="got readout 'global' in evaluation mode"):
        PointField(network, x, pos)
