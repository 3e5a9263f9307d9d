"""Features that are made of others, against numpy, and what they do not know."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.transforms import PointFeatures
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline


def cloud() -> Data:
    generator = torch.Generator().manual_seed(0)
    normal = torch.nn.functional.normalize(torch.randn(5, 3, generator=generator), dim=1)
    return Data(pos=torch.randn(5, 3, generator=generator), normal=normal)


def test_products_of_normals():
    data = cloud()
    x = PointFeatures(["normal_outer", "constant"])(data).x.numpy()
    for n, row in zip(data.normal.numpy(), x, strict=True):
        outer = np.outer(n, n)
        expected = [outer[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))]
        np.testing.assert_allclose(row, [*expected, 1.0], rtol=1e-6)


def test_products_do_not_know_the_outside():
    data = cloud()
    turned = Data(pos=data.pos, normal=-data.normal)
    features = PointFeatures(["normal_outer"])
    torch.testing.assert_close(features(turned).x, features(data).x)


def test_a_field_of_that_name_comes_first():
    data = cloud()
    data.constant = torch.arange(5.0)
    assert PointFeatures(["constant"])(data).x.flatten().tolist() == [0, 1, 2, 3, 4]


def test_products_without_normals_are_refused():
    with pytest.raises(
        ValueError, match="PointFeatures needs 'normal_outer' with a row for each of 5 points"
    ):
        PointFeatures(["normal_outer"])(Data(pos=torch.zeros(5, 3)))


@pytest.mark.parametrize("names", [["normal"], ["constant", "normal_outer", "normal", "pos"]])
def test_a_pipeline_counts_channels(names):
    pipeline = ShapePipeline(num_points=4, num_samples=5, features=names)
    assert pipeline.training()(cloud()).x.size(1) == pipeline.in_channels
