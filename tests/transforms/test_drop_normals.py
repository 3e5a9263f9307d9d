"""Clouds that lose their normals get those of clouds that never had any."""

import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.transforms import Augmentation, DropNormals, EstimateNormals, ShapePipeline


def cloud():
    pos = torch.nn.functional.normalize(
        torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), dim=1
    )
    return Data(pos=pos, normal=torch.zeros(200, 3))


def test_a_share_of_clouds_gets_estimated_normals():
    estimated = EstimateNormals(12)(cloud()).normal
    drop = DropNormals(0.3, 12, torch.Generator().manual_seed(0))
    found = [drop(cloud()).normal for _ in range(200)]
    dropped = [bool(normal.any()) for normal in found]
    assert 40 < sum(dropped) < 80
    assert all(torch.equal(normal, estimated) for normal, lost in zip(found, dropped, strict=True) if lost)


def test_training_and_evaluation():
    pipeline = ShapePipeline(num_points=50, num_samples=200, features=("normal",))
    data = cloud()
    data.normal = torch.tensor([[0.0, 0.0, 1.0]]).repeat(200, 1)
    always = pipeline.training(Augmentation(drop_normals=1.0))
    assert not (always(data.clone()).x[:, 2] == 1).all()
    assert (pipeline.training(Augmentation())(data.clone()).x[:, 2] == 1).all()
    assert (pipeline.evaluation()(data.clone()).x[:, 2] == 1).all()
    with pytest.raises(ValueError, match=r"probability p on \[0, 1\], got 2"):
        Augmentation(drop_normals=2).of_whole_shapes()
