"""Segmentation networks of others: sizes, plain formulas, order of points, ragged clouds, training."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Data

from ccnn_geo.experiments.baselines.clouds import nearest
from ccnn_geo.experiments.baselines.dgcnn_parts import DGCNNParts, edges_of
from ccnn_geo.experiments.baselines.pointnet2_parts import PointNet2Parts, interpolated
from tests.experiments.baselines.point_clouds import POINTS, clouds, disturb, layer, size

NETWORKS = {"pointnet2": partial(PointNet2Parts, radii=(0.5, 1.0)), "dgcnn": DGCNNParts}


def test_dgcnn_has_the_size_of_the_authors_layers():
    """All of them but the one for the category, 16 to 64, whose 64 channels the head has not either."""
    bare = partial(layer, bias=False)
    transform = bare(6, 64) + bare(64, 128) + bare(128, 1024) + bare(1024, 512) + bare(512, 256) + 257 * 9
    convs = bare(6, 64) + bare(64, 64) + bare(128, 64) + bare(64, 64) + bare(128, 64)
    head = bare(1216, 256) + bare(256, 256) + bare(256, 128) + 128 * 50
    assert size(DGCNNParts(0, 50)) == transform + convs + bare(192, 1024) + head == 1_442_825


def test_pointnet2_has_the_size_of_the_authors_layers():
    near = layer(6, 64) + layer(64, 64) + layer(64, 128)
    far = layer(131, 128) + layer(128, 128) + layer(128, 256)
    whole = layer(259, 256) + layer(256, 512) + layer(512, 1024)
    back = layer(1280, 256) + layer(256, 256) + layer(384, 256) + layer(256, 128)
    back += layer(134, 128) + 2 * layer(128, 128)
    assert size(PointNet2Parts(3, 50)) == near + far + whole + back + layer(128, 128) + 129 * 50


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_follow_the_order_of_the_points(name, device):
    network = disturb(NETWORKS[name](3, 4).double().to(device).eval())
    data = clouds(3, torch.float64).to(device)
    order = torch.cat([torch.randperm(POINTS, device=device) + i * POINTS for i in range(3)])
    expected = network(data)
    assert expected.shape == (3 * POINTS, 4) and expected.std(0).min() > 1e-9
    other = Data(x=data.x[order], pos=data.pos[order], batch=data.batch)
    torch.testing.assert_close(network(other), expected[order], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_ragged_clouds_get_an_answer_per_point(name, device):
    network = disturb(NETWORKS[name](3, 4).double().to(device).eval())
    data = clouds(2, torch.float64).to(device)
    keep = torch.arange(2 * POINTS - 20, device=device)
    ragged = Data(x=data.x[keep], pos=data.pos[keep], batch=data.batch[keep])
    again = torch.cat([keep, keep[POINTS : POINTS + 20]])
    filled = Data(x=data.x[again], pos=data.pos[again], batch=data.batch)
    torch.testing.assert_close(network(ragged), network(filled)[:-20], rtol=0, atol=0)
    alone = Data(x=data.x[:POINTS], pos=data.pos[:POINTS])
    torch.testing.assert_close(network(alone), network(data)[:POINTS], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_lowers_the_loss(name, device):
    torch.manual_seed(0)
    network, data = NETWORKS[name](3, 2, dropout=0.0).to(device), clouds(4).to(device)
    truth = (data.pos[:, 2] > 0).long()
    optimizer, losses = torch.optim.Adam(network.parameters(), 1e-3), []
    for _ in range(12):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(data), truth)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_interpolation_is_a_mean_by_inverse_squares():
    few, f = torch.rand(1, 5, 3, dtype=torch.float64), torch.rand(1, 5, 2, dtype=torch.float64)
    pos = torch.rand(1, 4, 3, dtype=torch.float64)
    for i in range(4):
        square = (few[0] - pos[0, i]).square().sum(1)
        near = square.argsort()[:3]
        weight = 1 / square[near]
        expected = (weight[:, None] * f[0, near]).sum(0) / weight.sum()
        torch.testing.assert_close(interpolated(pos, few, f)[0, i], expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(interpolated(few, few, f), f, rtol=1e-5, atol=1e-5)


def test_a_deep_edge_convolution_is_its_formula():
    network = disturb(DGCNNParts(0, 2).double().eval())
    x = torch.rand(1, 12, 3, dtype=torch.float64)
    conv, (_, index) = network.convs[0], nearest(x, x, 4)
    out = conv(x, index)
    assert edges_of(x, index).shape == (1, 12, 4, 6)
    for i in range(12):
        rows = torch.stack([torch.cat([x[0, j] - x[0, i], x[0, i]]) for j in index[0, i].tolist()])
        layers = list(conv.mlp)
        for linear, norm in ((layers[0], layers[1]), (layers[3], layers[4])):
            rows = rows @ linear.weight.T
            rows = (rows - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
            rows = F.leaky_relu(rows * norm.weight + norm.bias, 0.2)
        torch.testing.assert_close(out[0, i], rows.amax(0), rtol=1e-9, atol=1e-9)
