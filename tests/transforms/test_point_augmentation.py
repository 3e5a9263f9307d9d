"""Point dropout, PointWOLF and mixed clouds: what they change, and what happens to normals."""

import copy

import pytest
import torch
from torch_geometric.data import Batch, Data

from ccnn_geo.transforms import MixClouds, NormalizeSphere, PointWOLF, RandomPointDropout, RandomScaleShift
from ccnn_geo.transforms.mix_clouds import mix_pair
from ccnn_geo.transforms.pipelines.shapes import Augmentation, ShapePipeline
from ccnn_geo.transforms.point_wolf import transform_normals
from tests.transforms.draws import assert_seeds_decide


def sphere(num: int = 256, seed: int = 0, label: int = 0) -> Data:
    generator = torch.Generator().manual_seed(seed)
    normal = torch.nn.functional.normalize(
        torch.randn(num, 3, generator=generator, dtype=torch.float64), dim=1
    )
    return Data(pos=normal.clone(), normal=normal, row=torch.arange(num), y=torch.tensor([label]))


def tangents(normal: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two directions in the surface at each point."""
    helper = torch.eye(3, dtype=normal.dtype)[normal.abs().argmin(dim=1)]
    first = torch.nn.functional.normalize(torch.linalg.cross(normal, helper), dim=1)
    return first, torch.linalg.cross(normal, first)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("transform", [PointWOLF(), PointWOLF(2, scale=1.5), RandomScaleShift()])
def test_normals_are_those_of_the_deformed_sphere(transform, seed):
    """Against finite differences: small triangles on the sphere, deformed, have the transformed normals."""
    data = sphere(96)
    step, num = 1e-5, 96
    around = [data.pos + step * t for t in tangents(data.normal)]
    torch.manual_seed(seed)
    deform = copy.copy(transform)
    # the points of the triangles must not become anchors: draw once, on the sphere alone
    if isinstance(deform, PointWOLF):
        drawn = deform._draw(data.pos)
        deform._draw = lambda pos: drawn
    out = deform(Data(pos=torch.cat([data.pos, *around]), normal=data.normal.repeat(3, 1)))
    a, b, c = out.pos.split(num)
    found = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=1)
    cosine = (found * out.normal[:num]).sum(1)
    # tangents are right-handed with the normal; where the deformation turns space inside out, so does the triangle
    assert cosine.abs().min() > 1 - 1e-6
    assert (cosine > 0).double().mean() > 0.9
    assert out.normal.norm(dim=1).sub(1).abs().max() < 1e-9
    assert (out.pos[:num] - data.pos).abs().max() > 0.01  # some change at all


def test_inverse_transpose():
    torch.manual_seed(0)
    jacobian, normal = torch.randn(64, 3, 3).double(), sphere(64).normal
    expected = torch.linalg.solve(jacobian.mT, normal)
    expected = torch.nn.functional.normalize(expected, dim=1)
    assert torch.allclose(transform_normals(normal, jacobian), expected, atol=1e-9)
    flat = torch.diag(torch.tensor([1.0, 1.0, 0.0])).double().expand(64, 3, 3)  # no inverse, still a normal
    assert torch.allclose(
        transform_normals(normal, flat).abs(), torch.tensor([0.0, 0, 1]).double().expand(64, 3)
    )


def test_point_wolf_is_one_transformation_with_one_anchor():
    torch.manual_seed(3)
    data = PointWOLF(1, degrees=40)(sphere())
    design = torch.cat([sphere().pos, torch.ones(256, 1).double()], dim=1)
    fit = torch.linalg.lstsq(design, data.pos).solution
    assert torch.allclose(design @ fit, data.pos, atol=1e-9)
    assert not torch.allclose(data.pos, sphere().pos)


def test_point_wolf_bends_and_can_be_told_not_to():
    torch.manual_seed(0)
    still = PointWOLF(degrees=0, scale=1, shift=0)(sphere())
    assert torch.allclose(still.pos, sphere().pos) and torch.allclose(still.normal, sphere().normal)
    design = torch.cat([sphere().pos, torch.ones(256, 1).double()], dim=1)
    worst = 0.0
    for _ in range(5):
        data = PointWOLF()(sphere())
        fit = torch.linalg.lstsq(design, data.pos).solution
        worst = max(worst, (design @ fit - data.pos).abs().max().item())
    assert worst > 0.02  # no affine map does that
    assert PointWOLF()(Data(pos=torch.zeros(1, 3))).pos.isfinite().all()
    assert PointWOLF()(Data(pos=torch.zeros(0, 3))).num_nodes == 0


def test_point_dropout():
    torch.manual_seed(0)
    sizes = torch.tensor([RandomPointDropout(0.8)(sphere()).num_nodes / 256 for _ in range(200)])
    assert sizes.min() < 0.4 and sizes.max() > 0.9 and sizes.mean().item() == pytest.approx(0.6, abs=0.05)
    data = RandomPointDropout()(sphere())
    assert torch.equal(data.normal, sphere().normal[data.row]) and data.row.unique().numel() == len(data.row)
    filled = RandomPointDropout(fill=True)(sphere())
    copies = filled.row != torch.arange(256)
    assert filled.num_nodes == 256 and copies.any() and filled.row[copies].unique().numel() == 1
    assert torch.equal(filled.pos, sphere().pos[filled.row])
    assert torch.equal(RandomPointDropout(0.0)(sphere()).row, torch.arange(256))
    for _ in range(20):
        assert RandomPointDropout(1.0)(sphere(2)).num_nodes >= 1
    assert RandomPointDropout(fill=True)(Data(pos=torch.zeros(0, 3))).num_nodes == 0


def test_a_mixed_pair_keeps_rigid_parts():
    torch.manual_seed(1)
    a, b = sphere(seed=0), sphere(seed=1)
    a.y, b.y = torch.tensor([[1.0, 0]]), torch.tensor([[0, 1.0]])
    mixed = mix_pair(a, b, 64)
    assert mixed.num_nodes == 256 and mixed.y.tolist() == [[0.75, 0.25]]
    rest, patch = mixed.row[:192], mixed.row[192:]
    assert torch.equal(mixed.pos[:192], a.pos[rest]) and torch.equal(
        mixed.normal, torch.cat([a.normal[rest], b.normal[patch]])
    )
    move = mixed.pos[192:] - b.pos[patch]
    assert torch.allclose(move, move[:1].expand(64, 3), atol=1e-12)  # as it was, elsewhere
    gone = torch.ones(256, dtype=torch.bool)
    gone[rest] = False
    hole = (mixed.pos[192] - a.pos).norm(dim=1)  # the patch sits in the hole
    assert hole[gone].max() <= hole[~gone].min() and hole.min() < 1e-12
    assert a.num_nodes == b.num_nodes == 256 and torch.equal(a.pos, sphere(seed=0).pos)
    assert torch.equal(mix_pair(a, b, 0).pos, a.pos)


def test_mixed_batches():
    torch.manual_seed(0)
    clouds = [sphere(40 + 8 * i, seed=i, label=i % 3) for i in range(6)]
    batch = MixClouds(3, p=1.0)(Batch.from_data_list(clouds))
    assert batch.y.shape == (6, 3) and torch.allclose(batch.y.sum(1), torch.ones(6).double())
    assert batch.batch.bincount().tolist() == [40 + 8 * i for i in range(6)]
    assert ((batch.y > 0).sum(1) > 1).any() and batch.y.max(dim=1).values.min() >= 0.5
    loss = torch.nn.functional.cross_entropy(torch.zeros(6, 3).double(), batch.y)
    assert loss.item() == pytest.approx(torch.tensor(3.0).log().item())
    plain = MixClouds(3, p=0.0)(Batch.from_data_list(clouds))
    assert plain.y.argmax(1).tolist() == [0, 1, 2, 0, 1, 2] and torch.equal(plain.pos[:40], clouds[0].pos)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: RandomPointDropout(1.5), ValueError, "0 <= ratio <= 1, got 1.5"),
        (lambda: PointWOLF(0), ValueError, "at least 1"),
        (lambda: PointWOLF(scale=0.5), ValueError, "scale >= 1"),
        (lambda: PointWOLF()(Data(pos=torch.zeros(4, 2))), ValueError, r"\[N, 3\]"),
        (lambda: MixClouds(0), ValueError, "num_classes >= 1"),
        (lambda: MixClouds(2)(sphere()), TypeError, "Batch of clouds, got Data"),
        (lambda: MixClouds(2)(Batch.from_data_list([sphere(label=2)])), ValueError, "labels 2 to 2"),
        (
            lambda: MixClouds(2)(Batch.from_data_list([Data(pos=torch.zeros(4, 3))])),
            ValueError,
            "a label for each",
        ),
    ],
)
def test_wrong_arguments(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    "make", [RandomPointDropout, PointWOLF, lambda **kwargs: MixClouds(3, p=1.0, **kwargs)]
)
def test_generators_and_global_seed(make):
    def run(**kwargs):
        batch = Batch.from_data_list([sphere(64, seed=i, label=i) for i in range(3)])
        return make(**kwargs)(batch).pos

    assert_seeds_decide(run)


def test_reprs():
    assert [repr(t) for t in (RandomPointDropout(), RandomPointDropout(0.5, fill=True), MixClouds(10))] == [
        "RandomPointDropout(0.875)",
        "RandomPointDropout(0.5, fill=True)",
        "MixClouds(10, p=0.5)",
    ]
    assert repr(PointWOLF()) == "PointWOLF(4, bandwidth=0.5, degrees=10, scale=3, shift=0.25)"


@pytest.mark.parametrize("carrier", ["points", "voxels"])
def test_training_pipeline_offers_them(carrier):
    torch.manual_seed(0)
    data = sphere(512)
    data = Data(pos=data.pos.float(), normal=data.normal.float(), y=data.y)
    pipeline = ShapePipeline(num_points=128, num_samples=512, carrier=carrier)
    chain = Augmentation(point_wolf=4, point_dropout=0.875).transforms()
    assert [type(t) for t in chain] == [PointWOLF, NormalizeSphere, RandomPointDropout]
    sizes = {
        pipeline.training(Augmentation(point_wolf=4, point_dropout=0.875))(data.clone()).num_nodes
        for _ in range(8)
    }
    assert max(sizes) <= 128 and min(sizes) < 100
    assert Augmentation().transforms() == []
