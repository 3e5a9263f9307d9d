"""Farthest points against a loop in numpy, compiled and not."""

import numpy as np
import pytest
import torch

from ccnn_geo.neighbors import farthest
from ccnn_geo.neighbors.farthest import farthest_points


def by_definition(pos, num, start):
    pos = pos.astype(np.float32)
    chosen, nearest = [start], np.full(len(pos), np.inf, np.float32)
    for _ in range(num - 1):
        offset = (pos - pos[chosen[-1]]) ** 2
        nearest = np.minimum(nearest, offset[:, 0] + offset[:, 1] + offset[:, 2])
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return chosen


@pytest.fixture(params=["native", "torch"])
def way(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(farthest, "native_function", lambda name: None)


@pytest.mark.parametrize(("size", "num"), [(1, 1), (2, 2), (50, 20), (50, 50), (700, 64)])
def test_points_are_the_farthest(way, size, num):
    generator = np.random.default_rng(size)
    for start in {0, size - 1}:
        pos = generator.standard_normal((size, 3))
        assert farthest_points(torch.from_numpy(pos), num, start).tolist() == by_definition(pos, num, start)


def test_ties_and_points_at_the_same_place(way):
    """Distances on a lattice are exact in float32; of a duplicate nothing is taken twice."""
    axis = torch.arange(4.0)
    pos = torch.cartesian_prod(axis, axis, axis).repeat(2, 1)
    found = farthest_points(pos, len(pos), 5)
    assert found.tolist() == by_definition(pos.numpy(), len(pos), 5)
    assert sorted(found.tolist()) == list(range(len(pos)))
    assert len(pos[found[:64]].unique(dim=0)) == 64


@pytest.mark.parametrize("dim", [1, 2, 4])
def test_other_dimensions(dim):
    pos = torch.randn(30, dim, generator=torch.Generator().manual_seed(dim))
    found = farthest_points(pos, 6)
    distances = torch.cdist(pos.double(), pos.double())
    for n in range(1, 6):
        assert distances[found[:n]].amin(dim=0).argmax() == found[n]


def test_on_the_device(device):
    pos = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    assert farthest_points(pos.to(device), 20).tolist() == farthest_points(pos, 20).tolist()


def test_none_of_an_empty_cloud(way):
    assert farthest_points(torch.empty(0, 3), 0).shape == (0,)
    assert farthest_points(torch.randn(3, 3), 0).shape == (0,)


@pytest.mark.parametrize(("num", "start"), [(4, 0), (-1, 0), (2, 3), (2, -1)])
def test_wrong_numbers_are_refused(num, start):
    message = f"farthest_points: expected 0 to 3 points from one of them, got {num} from {start}"
    with pytest.raises(ValueError, match=message):
        farthest_points(torch.randn(3, 3), num, start)


def test_positions_must_be_finite():
    with pytest.raises(ValueError, match="farthest_points: expected finite positions, got NaN or infinity"):
        farthest_points(torch.tensor([[0.0, 0.0, 0.0], [1.0, torch.nan, 0.0]]), 1)
