"""Pieces of networks on point clouds, beside loops."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from ccnn_geo.experiments.baselines.clouds import (
    SharedMLP,
    ball,
    equal_clouds,
    farthest_first,
    nearest,
    rows_of,
    spread_points,
)
from ccnn_geo.neighbors import build_neighbors
from ccnn_geo.neighbors.farthest import farthest_points


def test_spread_points_are_those_of_a_loop(device):
    pos = torch.randn(3, 40, 3, dtype=torch.float64, device=device)
    found = spread_points(pos, 12).cpu()
    for cloud, chosen in zip(pos.cpu().numpy(), found.tolist(), strict=True):
        expected = [int(np.linalg.norm(cloud - cloud.mean(0), axis=1).argmax())]
        while len(expected) < 12:
            gaps = [min(np.linalg.norm(p - cloud[j]) for j in expected) for p in cloud]
            expected.append(int(np.argmax(gaps)))
        assert chosen == expected


def test_all_points_are_the_farthest_of_all():
    assert spread_points(torch.randn(2, 9, 3), 9).sort(1).values.tolist() == [list(range(9))] * 2


def test_one_order_of_farthest_points_serves_all_stages():
    """Points chosen anew among the first half are the first quarter, and features go with their points."""
    pos = torch.randn(2, 40, 3, dtype=torch.float64)
    ordered, x = farthest_first(pos, pos.norm(dim=2, keepdim=True))
    torch.testing.assert_close(ordered[:, :20], rows_of(pos, spread_points(pos, 20)))
    for cloud in ordered[:, :20]:
        assert farthest_points(cloud, 10).tolist() == list(range(10))
    torch.testing.assert_close(x, ordered.norm(dim=2, keepdim=True))
    torch.testing.assert_close(ordered.sort(1).values, pos.sort(1).values)


def test_a_ball_holds_what_is_near_and_the_nearest_again(device):
    pos = torch.randn(2, 50, 3, dtype=torch.float64, device=device)
    at, k, radius = pos[:, ::7], 6, 0.7
    index = ball(pos, at, radius, k).cpu()
    sizes = set()
    for b in range(2):
        for m, center in enumerate(at[b].cpu()):
            gaps = (pos[b].cpu() - center).norm(dim=1)
            inside = [i for i in gaps.argsort().tolist() if gaps[i] <= radius][:k]
            assert index[b, m].tolist() == inside + [inside[0]] * (k - len(inside))
            sizes.add(len(inside))
    assert k in sizes and len(sizes) > 1


def test_nearest_are_the_neighbors_of_this_library(device):
    pos = torch.randn(3 * 20, 3, dtype=torch.float64, device=device)
    batch = torch.arange(3, device=device).repeat_interleave(20)
    clouds = pos.view(3, 20, 3)
    distance, index = nearest(clouds, clouds, 5)
    source = build_neighbors(pos, batch, 5).edge_index[0].view(3, 20, 5)
    assert torch.equal(index + 20 * torch.arange(3, device=device).view(3, 1, 1), source)
    torch.testing.assert_close(distance, (rows_of(clouds, index) - clouds.unsqueeze(2)).square().sum(-1))
    assert nearest(clouds, clouds, 99)[1].shape == (3, 20, 20)


def test_a_point_mlp_is_its_layers_on_rows():
    mlp = SharedMLP(3, 8, 5).double()
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    h = x.view(24, 3)
    for linear, norm in ((mlp[0], mlp[1]), (mlp[3], mlp[4])):
        z = h @ linear.weight.T + linear.bias
        h = ((z - z.mean(0)) / (z.var(0, unbiased=False) + norm.eps).sqrt()).relu()
    torch.testing.assert_close(mlp(x), h.view(4, 6, 5))


def test_errors_say_what_was_given_and_expected():
    clouds = [Data(x=torch.randn(n, 3), pos=torch.randn(n, 3)) for n in (5, 7)]
    filled = equal_clouds(Batch.from_data_list(clouds), "Net", 3)[0]
    assert torch.equal(filled[0, 5:], clouds[0].pos[:2]) and torch.equal(filled[1], clouds[1].pos)
    with pytest.raises(ValueError, match=r"Net: expected data.x with 6 channels, got \[5, 3\]"):
        equal_clouds(clouds[0], "Net", 6)
    with pytest.raises(ValueError, match="farthest_points: expected 0 to 5 points from one of them, got 6"):
        spread_points(clouds[0].pos[None], 6)
    pos, x = equal_clouds(clouds[0], "Net", 3)
    assert pos.shape == x.shape == (1, 5, 3)
    assert equal_clouds(Data(pos=torch.randn(5, 3)), "Net", 0)[1].shape == (1, 5, 0)
