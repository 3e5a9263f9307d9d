"""Random subsets, scales, rotations, jitter, and the choice of features."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data
from torch_geometric.transforms import Compose

from ccnn_geo.transforms import (
    FixedSubset,
    PointFeatures,
    RandomJitter,
    RandomRotate,
    RandomScaleShift,
    RandomSubset,
    Voxelize,
)
from tests.transforms.draws import assert_seeds_decide


def cloud(num: int = 64, seed: int = 0) -> Data:
    generator = torch.Generator().manual_seed(seed)
    pos = torch.rand(num, 3, generator=generator) * 2 - 1
    normal = torch.nn.functional.normalize(torch.randn(num, 3, generator=generator), dim=1)
    return Data(pos=pos, normal=normal, row=torch.arange(num), y=torch.tensor([3]))


@given(total=st.integers(1, 40), num=st.integers(1, 40), fill=st.booleans())
@settings(max_examples=50, deadline=None)
def test_random_subset(total, num, fill):
    full = cloud(total)
    data = RandomSubset(num, fill=fill)(full)
    expected = num if fill else min(num, total)
    assert data.num_nodes == len(data.row) == expected
    assert data.row.unique().numel() == min(num, total)
    assert torch.equal(data.pos, full.pos[data.row]) and torch.equal(data.normal, full.normal[data.row])
    assert data.y.tolist() == [3] and full.num_nodes == total


def test_subsets_of_clouds_that_do_not_allow_them():
    with pytest.raises(ValueError, match="edge_index"):
        RandomSubset(2)(Data(pos=torch.zeros(4, 3), edge_index=torch.zeros(2, 1, dtype=torch.long)))
    with pytest.raises(ValueError, match="0 points"):
        RandomSubset(2, fill=True)(Data(pos=torch.zeros(0, 3)))
    for transform in (RandomSubset, FixedSubset):
        with pytest.raises(ValueError, match="at least 1"):
            transform(0)


def test_fixed_subset_is_the_first_points():
    assert FixedSubset(5)(cloud()).row.tolist() == [0, 1, 2, 3, 4]
    assert FixedSubset(500)(cloud()).num_nodes == 64


def test_node_labels_follow_their_points():
    data = Data(pos=torch.zeros(9, 3), y=torch.arange(9), row=torch.arange(9))
    data = RandomSubset(4)(data)
    assert torch.equal(data.y, data.row)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_scaled_normals_stay_orthogonal_to_the_surface(seed):
    torch.manual_seed(seed)
    full = cloud(30, seed)
    # a tangent at each point, carried along as the difference of two points
    tangent = torch.linalg.cross(full.normal, torch.randn(30, 3))
    both = Data(pos=torch.cat([full.pos, full.pos + tangent]), normal=full.normal.repeat(2, 1))
    data = RandomScaleShift()(both)
    moved = data.pos[30:] - data.pos[:30]
    assert (moved * data.normal[:30]).sum(1).abs().max() < 1e-5
    assert data.normal.norm(dim=1).sub(1).abs().max() < 1e-5


def test_scale_and_shift_stay_within_their_ranges():
    torch.manual_seed(0)
    square = Data(pos=torch.tensor([[0.0, 0, 0], [1, 1, 1]]))
    draws = torch.stack([RandomScaleShift((0.5, 2.0), 0.1)(square).pos for _ in range(500)])
    shift, scale = draws[:, 0], draws[:, 1] - draws[:, 0]
    assert shift.abs().max() <= 0.1 and shift.std(0).min() > 0.04
    assert scale.min() >= 0.5 - 1e-6 and scale.max() <= 2 + 1e-6
    assert scale.std(0).min() > 0.3 and (scale[:, 0] - scale[:, 1]).abs().mean() > 0.1
    same = RandomScaleShift((1.0, 1.0), 0.0)(cloud())
    assert torch.allclose(same.pos, cloud().pos) and torch.allclose(same.normal, cloud().normal)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_rotation_turns_positions_and_normals_alike(axis):
    torch.manual_seed(1)
    full = cloud()
    data = RandomRotate(axis)(full)
    a = "xyz".index(axis)
    assert torch.allclose(data.pos[:, a], full.pos[:, a]) and torch.allclose(
        data.normal[:, a], full.normal[:, a]
    )
    rotation = torch.linalg.lstsq(full.pos, data.pos).solution.T
    assert torch.allclose(rotation @ rotation.T, torch.eye(3), atol=1e-5)
    assert torch.linalg.det(rotation).item() == pytest.approx(1, abs=1e-5)
    assert torch.allclose(full.normal @ rotation.T, data.normal, atol=1e-5)
    assert (data.pos - full.pos).abs().max() > 0.1


def test_rotation_covers_its_range():
    torch.manual_seed(0)
    point = Data(pos=torch.tensor([[1.0, 0, 0]]))
    turned = torch.cat([RandomRotate("z", 30)(point).pos for _ in range(300)])
    angle = torch.atan2(turned[:, 1], turned[:, 0])
    assert angle.abs().max() <= math.radians(30) + 1e-6
    assert angle.std().item() == pytest.approx(math.radians(30) / 3**0.5, rel=0.1)


def test_jitter():
    torch.manual_seed(0)
    full = cloud(5000)
    data = RandomJitter(0.02, 0.05)(full)
    noise = data.pos - full.pos
    assert noise.std().item() == pytest.approx(0.02, rel=0.05) and noise.abs().max() <= 0.05 + 1e-6
    assert torch.equal(data.normal, full.normal)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RandomScaleShift((0, 1)), "0 < low"),
        (lambda: RandomScaleShift(shift=-1), "shift >= 0"),
        (lambda: RandomRotate("w"), "axis 'x', 'y' or 'z'"),
        (lambda: RandomJitter(-1), "std >= 0"),
        (lambda: RandomRotate()(Data(pos=torch.zeros(2, 2))), r"\[N, 3\]"),
        (lambda: PointFeatures(()), "at least one"),
        (lambda: PointFeatures(("colour",))(cloud()), "'colour'"),
        (lambda: PointFeatures(("y",))(cloud()), "'y'"),
        (lambda: Voxelize(num=0), "at least 1"),
    ],
)
def test_wrong_arguments(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("transform", [RandomSubset, RandomScaleShift, RandomRotate, RandomJitter, Voxelize])
def test_generators_and_global_seed(transform):
    first = {RandomSubset: (16,), Voxelize: (8, 16)}.get(transform, ())

    def run(**kwargs):
        full = cloud()
        del full.row
        return transform(*first, **kwargs)(full).pos

    assert_seeds_decide(run)


def test_voxelize_means_and_choice():
    torch.manual_seed(1)
    full = cloud(3000)
    del full.row
    full.x = torch.cat([full.pos, torch.ones(3000, 1)], dim=1)
    every = Voxelize(10, num=None)(full)
    occupied = {tuple(c) for c in ((full.pos + 1) * 5).floor().clamp(0, 9).int().tolist()}
    assert every.num_nodes == len(occupied)
    assert every.normal.norm(dim=1).sub(1).abs().max() < 1e-5
    assert (every.x[:, :3] - every.pos).abs().max() <= 0.1 + 1e-6 and (every.x[:, 3] - 1).abs().max() < 1e-6
    some = Voxelize(10, num=100, random=False)(full)
    assert some.num_nodes == 100 and some.x.shape == (100, 4) and some.y.tolist() == [3]
    assert torch.equal(some.pos, Voxelize(10, num=100, random=False)(full).pos)
    assert some.pos.mean(0).abs().max() < 0.25  # from all over the cloud, not from its first corner
    assert not torch.equal(some.pos, Voxelize(10, num=100)(full).pos)
    assert Voxelize(2, num=100)(full).num_nodes == 8


def test_voxelize_refuses_what_it_cannot_average():
    with pytest.raises(ValueError, match="'row'"):
        Voxelize()(cloud())
    with pytest.raises(ValueError, match="labels of points"):
        Voxelize()(Data(pos=torch.zeros(3, 3), y=torch.arange(3)))
    with pytest.raises(ValueError, match="NormalizeSphere"):
        Voxelize()(Data(pos=torch.full((1, 3), 2.0)))


def test_point_features():
    full = cloud()
    assert torch.equal(PointFeatures()(full).x, torch.cat([full.normal, full.pos], dim=1))
    assert torch.equal(PointFeatures("row")(full).x, full.row[:, None].float())
    assert "x" not in full


def test_pipeline_and_reprs():
    torch.manual_seed(0)
    steps = [RandomSubset(32), RandomScaleShift(), RandomRotate("y", 90), RandomJitter(), PointFeatures()]
    data = Compose(steps)(cloud())
    assert data.x.shape == (32, 6) and torch.equal(data.x[:, 3:], data.pos)
    shown = [repr(step) for step in [*steps, FixedSubset(3), RandomSubset(3, fill=True), Voxelize()]]
    assert shown == [
        "RandomSubset(32)",
        "RandomScaleShift(scale=(0.667, 1.5), shift=0.2)",
        "RandomRotate(axis='y', degrees=90)",
        "RandomJitter(std=0.01, clip=0.05)",
        "PointFeatures(('normal', 'pos'))",
        "FixedSubset(3)",
        "RandomSubset(3, fill=True)",
        "Voxelize(size=40, num=512, random=True)",
    ]
