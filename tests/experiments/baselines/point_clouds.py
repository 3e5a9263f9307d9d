"""Clouds, sizes and plain layers, for tests of networks on point clouds."""

import torch
from torch import nn
from torch.nn import functional as F
from torch_geometric.data import Data

POINTS = 48


def clouds(count=6, dtype=torch.float32, points=POINTS):
    pos = F.normalize(torch.randn(count * points, 3, dtype=dtype), dim=1)
    batch = torch.arange(count).repeat_interleave(points)
    return Data(x=torch.randn_like(pos), pos=pos, batch=batch)


def size(network):
    return sum(p.numel() for p in network.parameters())


def layer(inputs, outputs, bias=True):
    """Parameters of a linear layer and batch normalisation."""
    return (inputs + bias) * outputs + 2 * outputs


def plain(mlp, x):
    """Layers of a ``SharedMLP`` on rows, one by one, with stored statistics."""
    layers = list(mlp)
    for i in range(0, len(layers), 3):
        linear, norm = layers[i : i + 2]
        z = x @ linear.weight.T + (0 if linear.bias is None else linear.bias)
        x = plain_norm(norm, z)
        if i + 2 < len(layers):
            x = x.relu()
    return x


def plain_norm(norm, z):
    """Batch normalisation with stored statistics."""
    return (z - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias


def disturb(network):
    """Statistics and weights of norms, and T-Nets, that are not those of the beginning."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, -1, 1)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
    return network
