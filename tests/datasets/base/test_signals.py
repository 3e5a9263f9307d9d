"""Signals on grids: indices, parts, transforms, and what a loader makes of them."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ccnn_geo.datasets.base.signals import SignalDataset
from ccnn_geo.datasets.registry import PLACES, dataset_class


def encode(row):
    return torch.from_numpy(row.astype(np.float32)).view(2, 3) / 255


def make(n=5, **kwargs):
    values = np.arange(6 * n, dtype=np.uint8).reshape(n, 6)
    return SignalDataset(values, [0, 1, 2, 0, 1][:n], ["a", "b", "c"], encode, **kwargs)


def test_a_sample_is_a_grid_and_a_label():
    data = make()
    grid, label = data[1]
    assert grid.dtype == torch.float32 and torch.equal(grid, torch.arange(6.0, 12).view(2, 3) / 255)
    assert label == 1 and isinstance(label, int)
    assert (len(data), data.num_classes, data.in_channels, data.size) == (5, 3, 2, (3,))
    assert torch.equal(data[-1][0], data[4][0])
    for index in (5, -6):
        with pytest.raises(IndexError, match="of 5 samples"):
            data[index]


@pytest.mark.parametrize("index", [slice(1, 4), [1, 2, 3], torch.tensor([False, True, True, True, False])])
def test_parts_are_data_sets(index):
    part = make()[index]
    assert len(part) == 3 and part.y.tolist() == [1, 2, 0]
    assert part[-1][1] == 0 and torch.equal(part[0][0], make()[1][0])
    assert torch.equal(part[1:][0][0], make()[2][0])


def test_loaders_collate_them():
    x, y = next(iter(DataLoader(make(transform=lambda grid: -grid), batch_size=3)))
    assert x.shape == (3, 2, 3) and x.min() < 0 and y.tolist() == [0, 1, 2] and y.dtype == torch.int64


def test_as_many_labels_as_samples():
    with pytest.raises(ValueError, match="5 samples, but labels of shape"):
        SignalDataset(np.zeros((5, 6)), [0, 1], ["a"], encode)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"expected one of smnist, .* got 'imagenet'"):
        dataset_class("imagenet")
    assert len(set(PLACES.values())) == len(PLACES)
