"""Evenly spread points of a cloud, with all that belongs to them."""

import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.neighbors.farthest import farthest_points
from ccnn_geo.transforms import FarthestSubset, FixedSubset, RandomSubset
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline


def cloud(num=300):
    generator = torch.Generator().manual_seed(0)
    pos = torch.nn.functional.normalize(torch.randn(num, 3, generator=generator), dim=1)
    return Data(pos=pos, normal=pos.clone(), rank=torch.arange(num), y=torch.tensor([3]))


def nearest(pos):
    return torch.cdist(pos, pos).fill_diagonal_(torch.inf).amin(dim=1)


def test_points_keep_what_belongs_to_them():
    data, kept = cloud(), FarthestSubset(40, random=False)(cloud())
    assert kept.rank.tolist() == farthest_points(data.pos, 40).tolist() and kept.rank[0] == 0
    torch.testing.assert_close(kept.pos, data.pos[kept.rank])
    torch.testing.assert_close(kept.normal, kept.pos)
    assert kept.y.tolist() == [3] and kept.num_nodes == 40


def test_they_are_spread_more_evenly_than_random_ones():
    even, any_ = FarthestSubset(40)(cloud()), RandomSubset(40)(cloud())
    assert nearest(even.pos).min() > 3 * nearest(any_.pos).min()


def test_the_first_point_is_drawn_anew():
    draw = FarthestSubset(10, generator=torch.Generator().manual_seed(1))
    found = {int(draw(cloud()).rank[0]) for _ in range(20)}
    assert len(found) > 10
    again = FarthestSubset(10, generator=torch.Generator().manual_seed(1))
    assert (
        again(cloud()).rank.tolist()
        == FarthestSubset(10, generator=torch.Generator().manual_seed(1))(cloud()).rank.tolist()
    )


@pytest.mark.parametrize("num", [20, 80, 300, 400])
def test_weights_add_up_to_the_reference_however_many_are_kept(num):
    data = cloud()
    kept = FarthestSubset(num, random=False, reference=20)(cloud())
    assert kept.weight.shape == (min(num, 300),) and abs(kept.weight.sum() - 20) < 1e-4
    nearest_kept = torch.cdist(data.pos, kept.pos).argmin(dim=1)
    expected = torch.bincount(nearest_kept, minlength=min(num, 300)) * (20 / 300)
    torch.testing.assert_close(kept.weight, expected)


def test_weights_of_a_chosen_cloud_are_its_own():
    data = FarthestSubset(40, random=False, reference=40)(cloud())
    again = FarthestSubset(10, random=False, reference=10)(data)
    assert again.weight.shape == (10,) and abs(again.weight.sum() - 10) < 1e-5
    assert FarthestSubset(4, reference=4)(Data(pos=torch.empty(0, 3))).weight.shape == (0,)
    with pytest.raises(ValueError, match="reference must be at least 1, got 0"):
        FarthestSubset(4, reference=0)
    assert repr(FarthestSubset(4, reference=8)) == "FarthestSubset(4, reference=8)"
    assert repr(FarthestSubset(4, random=False)) == "FarthestSubset(4, random=False)"


def test_small_and_empty_clouds_keep_all():
    assert sorted(FarthestSubset(40)(cloud(7)).rank.tolist()) == list(range(7))
    assert FarthestSubset(40)(Data(pos=torch.empty(0, 3))).num_nodes == 0
    with pytest.raises(ValueError, match="num must be at least 1, got 0"):
        FarthestSubset(0)


def test_a_pipeline_chooses_them():
    pipeline = ShapePipeline(num_points=20, num_samples=300, subset="farthest")
    first, second = (pipeline.evaluation()(cloud()).pos for _ in range(2))
    torch.testing.assert_close(first, cloud().pos[farthest_points(cloud().pos, 20)])
    torch.testing.assert_close(first, second)
    spread = nearest(pipeline.training()(cloud()).pos).min()
    assert spread > 2 * nearest(FixedSubset(20)(cloud()).pos).min()
    weighted = ShapePipeline(num_points=20, num_samples=300, subset="farthest", reference_points=10)
    for chain in (weighted.evaluation(), weighted.training()):
        assert abs(chain(cloud()).weight.sum() - 10) < 1e-4
    with pytest.raises(ValueError, match=r"reference_points: expected 1 or more, .* got 10 with 'random'"):
        ShapePipeline(reference_points=10)
    with pytest.raises(ValueError, match=r"data\.subset: expected one of random, farthest, got 'even'"):
        ShapePipeline(subset="even")
