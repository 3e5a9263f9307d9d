"""Networks on point clouds: order of points, training, refusals of all; sizes and plain formulas of PointNet,
PointNet++, DGCNN and the Perceiver. Those of PointMLP and PointNeXt are in ``test_residual_point_networks``."""

import math
import sys
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch_geometric.data import Data

from ccnn_geo.experiments.baselines.clouds import ball, nearest, rows_of, spread_points
from ccnn_geo.experiments.baselines.dgcnn import DGCNN, EdgeConv
from ccnn_geo.experiments.baselines.perceiver import PointPerceiver
from ccnn_geo.experiments.baselines.pointmlp import PointMLP
from ccnn_geo.experiments.baselines.pointnet import PointNet
from ccnn_geo.experiments.baselines.pointnet2 import PointNet2, SetAbstraction
from ccnn_geo.experiments.baselines.pointnext import PointNeXt
from tests.experiments.baselines.point_clouds import POINTS, clouds, disturb, layer, plain, size

SMALL = {
    "pointnet": PointNet,
    "pointnet2": PointNet2,
    "dgcnn": DGCNN,
    "pointmlp": PointMLP,
    "pointnext": partial(PointNeXt, radius=0.5),  # where 48 points have neighbours
}
NETWORKS = [*SMALL, "perceiver"]


def make(name, in_channels=3, classes=4, **options):
    if name == "perceiver":
        pytest.importorskip("perceiver_pytorch", reason="needs the extra peers (perceiver-pytorch)")
        options = {"bands": 3, "max_frequency": 8.0, "num_latents": 6, "latent_dim": 16, **options}
        return PointPerceiver(in_channels, classes, **options)
    return SMALL[name](in_channels, classes, **options)


def test_pointnet_has_the_published_size():
    """0.8 million without T-Nets, 3.48 with both (Table 1 of the CCNN paper)."""
    tnet = layer(3, 64) + layer(64, 128) + layer(128, 1024) + layer(1024, 512) + layer(512, 256)
    rest = layer(3, 64) + 2 * layer(64, 64) + layer(64, 128) + layer(128, 1024)
    rest += layer(1024, 512) + layer(512, 256) + 257 * 40
    assert size(PointNet(0, 40, input_transform=False)) == rest == 819_624
    assert size(PointNet(0, 40)) == rest + tnet + 257 * 9 == 1_622_705
    second = tnet - layer(3, 64) + layer(64, 64) + 257 * 4096
    assert size(PointNet(0, 40, feature_transform=True)) == rest + tnet + 257 * 9 + second == 3_480_049


def test_pointnet2_has_the_published_size():
    near = layer(6, 64) + layer(64, 64) + layer(64, 128)
    far = layer(131, 128) + layer(128, 128) + layer(128, 256)
    rest = layer(259, 256) + layer(256, 512) + layer(512, 1024) + layer(1024, 512) + layer(512, 256)
    assert size(PointNet2(3, 40)) == near + far + rest + 257 * 40 == 1_475_880


def test_dgcnn_has_the_published_size():
    convs = layer(6, 64, False) + layer(128, 64, False) + layer(128, 128, False) + layer(256, 256, False)
    rest = layer(512, 1024, False) + layer(2048, 512, False) + layer(512, 256) + 257 * 40
    assert size(DGCNN(0, 40)) == convs + rest == 1_809_576


def test_the_perceiver_has_its_size():
    """Attention: norms, queries, keys and values, output; feed-forward with gates."""
    network = make("perceiver", depth=2, self_attention=3)
    d, inner, inputs = 16, 16, 3 * (2 * 3 + 1) + 3
    forward = 2 * d + (d + 1) * 8 * d + (4 * d + 1) * d
    own = 2 * d + d * inner + d * 2 * inner + (inner + 1) * d + forward
    cross = 2 * d + 2 * inputs + d * 64 + inputs * 128 + 65 * d + forward
    assert size(network) == 6 * d + 2 * (cross + 3 * own) + 2 * d + (d + 1) * 4


@pytest.mark.parametrize("name", NETWORKS)
def test_the_order_of_points_does_not_matter(name, device):
    network, data = make(name).double().to(device).eval(), clouds(3, torch.float64).to(device)
    order = torch.cat([torch.randperm(POINTS, device=device) + i * POINTS for i in range(3)])
    other = Data(x=data.x[order], pos=data.pos[order], batch=data.batch)
    expected = network(data)
    assert expected.shape == (3, 4) and expected.std(0).min() > 1e-9
    torch.testing.assert_close(network(other), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_lowers_the_loss(name, loss_falls):
    network, data = make(name, **({} if name == "perceiver" else {"dropout": 0.0})), clouds(6)

    def on_grids(x):
        return network(Data(x=x.flatten(0, 1), pos=data.pos, batch=data.batch))

    on_grids.parameters = network.parameters
    assert loss_falls(on_grids, data.x.view(6, POINTS, 3))


@pytest.mark.parametrize("name", NETWORKS)
def test_points_of_smaller_clouds_come_again(name, device):
    network, data = make(name).double().to(device).eval(), clouds(2, torch.float64).to(device)
    few = torch.arange(POINTS, 2 * POINTS - 20, device=device)
    again = torch.cat([torch.arange(POINTS, device=device), few, few[:20]])
    keep = again[:-20]
    ragged = Data(x=data.x[keep], pos=data.pos[keep], batch=data.batch[keep])
    filled = Data(x=data.x[again], pos=data.pos[again], batch=data.batch)
    torch.testing.assert_close(network(ragged), network(filled), rtol=0, atol=0)
    empty = Data(x=data.x, pos=data.pos, batch=2 * data.batch)
    with pytest.raises(ValueError, match=f"expected points in each cloud, got 0 to {POINTS}"):
        network(empty)


def test_pointnet_is_one_network_per_point():
    network, data = disturb(PointNet(3, 4, feature_transform=True).double().eval()), clouds(2, torch.float64)
    out = network(data)
    for cloud in range(2):
        pos, x = data.pos[data.batch == cloud], data.x[data.batch == cloud]
        rows = torch.cat([pos, x], dim=1)
        nets = network.input_transform, network.feature_transform
        for net in nets:
            top = torch.stack([plain(net.points, row[None])[0] for row in rows]).max(0).values
            matrix = net.matrix(plain(net.cloud, top[None]))[0].view(net.size, net.size)
            if net is nets[0]:
                rows = plain(
                    network.first,
                    torch.stack([torch.cat([p @ matrix, f]) for p, f in zip(pos, x, strict=True)]),
                )
            else:
                rows = rows @ matrix
        h = plain(network.second, rows).max(0).values[None]
        for mlp in (network.head[0], network.head[2]):
            h = plain(mlp, h)
        torch.testing.assert_close(out[cloud], network.head[-1](h)[0])


def test_t_nets_begin_as_the_identity():
    network = PointNet(0, 4)
    assert torch.equal(network.input_transform(torch.randn(2, 9, 3)), torch.eye(3).expand(2, 3, 3))


def test_set_abstraction_is_a_pointnet_on_each_ball():
    layer = disturb(SetAbstraction(2, (5, 7), 0.6, 6).double().eval())
    pos, x = torch.randn(2, 30, 3, dtype=torch.float64), torch.randn(2, 30, 2, dtype=torch.float64)
    centers, out = layer(pos, x, 8)
    torch.testing.assert_close(centers, rows_of(pos, spread_points(pos, 8)))
    index = ball(pos, centers, 0.6, 6)
    for b in range(2):
        for m in range(8):
            rows = [torch.cat([pos[b, j] - centers[b, m], x[b, j]]) for j in index[b, m]]
            torch.testing.assert_close(out[b, m], plain(layer.mlp, torch.stack(rows)).max(0).values)


@pytest.mark.parametrize("training", [True, False])
def test_edge_conv_is_that_of_all_edges(training):
    """Values, gradients and running statistics beside torch's layers on a list of edges."""
    conv = EdgeConv(3, 6).double().train(training)
    nn.init.uniform_(conv.norm.weight, -1, 1)  # also decreasing channels
    nn.init.normal_(conv.norm.bias)
    norm = nn.BatchNorm1d(6, momentum=None).double().train(training)  # the first batch weighs all
    norm.load_state_dict(conv.norm.state_dict())
    x = torch.randn(2, 20, 3, dtype=torch.float64, requires_grad=True)
    _, index = nearest(x, x, 5)
    out = conv(x, index)
    edges = [
        torch.cat([x[b, j] - x[b, i], x[b, i]]) for b in range(2) for i in range(20) for j in index[b, i]
    ]
    h = F.leaky_relu(norm(conv.linear(torch.stack(edges))), 0.2).view(2, 20, 5, 6).max(2).values
    torch.testing.assert_close(out, h)
    torch.testing.assert_close(conv.norm.running_mean, norm.running_mean)
    torch.testing.assert_close(conv.norm.running_var, norm.running_var)
    assert conv.norm.num_batches_tracked == norm.num_batches_tracked
    weights = torch.randn_like(h)
    inputs = (x, conv.linear.weight)
    ours, theirs = (torch.autograd.grad((weights * y).sum(), inputs) for y in (out, h))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_dgcnn_finds_neighbors_anew_by_its_features(monkeypatch):
    from ccnn_geo.experiments.baselines import dgcnn

    seen = []
    monkeypatch.setattr(dgcnn, "nearest", lambda x, at, k: seen.append(x) or nearest(x, at, k))
    network, data = DGCNN(3, 4, k=5).eval(), clouds(2)
    outputs = []
    for conv in network.convs:
        conv.register_forward_hook(lambda module, args, out: outputs.append(out))
    network(data)
    assert torch.equal(seen[0], data.pos.view(2, POINTS, 3))
    assert all(torch.equal(a, b) for a, b in zip(seen[1:], outputs[:-1], strict=True))


def test_fourier_features_are_those_of_the_formula():
    network = make("perceiver", bands=3, max_frequency=8.0)
    p = torch.tensor([0.3, -0.7])
    found = network.features(p).tolist()
    phases = [math.pi * f * x for x in (0.3, -0.7) for f in (1.0, 2.5, 4.0)]
    expected = [0.3, -0.7, *map(math.sin, phases), *map(math.cos, phases)]
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "perceiver_pytorch", None)
    with pytest.raises(
        ImportError, match=r"PointPerceiver: needs perceiver-pytorch: pip install 'ccnn_geo\[peers\]'"
    ):
        PointPerceiver(3, 4)
