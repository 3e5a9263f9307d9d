"""Folders of shapes: all formats, stored once, in the same order whoever prepares them."""

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose

from ccnn_geo import CCNN
from ccnn_geo.datasets import ShapeFolder
from ccnn_geo.datasets.base import conversion, processing
from ccnn_geo.transforms import PointFeatures, RandomSubset
from tests.datasets.shapes.shapes_in_folders import SMALL, sphere, write_shapes


@pytest.fixture
def root(tmp_path, write_box):
    write_shapes(tmp_path, write_box)
    return tmp_path


def test_all_formats_give_clouds_with_normals_on_the_unit_sphere(root):
    data = ShapeFolder(root, "train", **SMALL)
    assert data.classes == ["ball", "box"] and data.num_classes == 2 and len(data) == 11
    assert data.y.tolist() == [0] * 8 + [1] * 3 and data.y.dtype == torch.int64
    assert data.names[0] == "train/ball/a.npy"
    for sample in data:
        assert sample.pos.dtype == sample.normal.dtype == torch.float32
        assert sample.pos.shape == sample.normal.shape == (20 if "small" in sample.name else 32, 3)
        assert sample.pos.norm(dim=1).max() <= 1 + 3e-5
        assert sample.normal.norm(dim=1).sub(1).abs().max() < 1e-6
        if "ball" in sample.name and "small" not in sample.name:  # a sphere in every format: radii
            radius = torch.nn.functional.normalize(sample.pos, dim=1)  # up to the centring on the mean
            assert (sample.normal * radius).sum(1).min() > 0.6
            assert (sample.normal * radius).sum(1).mean() > 0.9


def test_stored_numbers_are_close_to_the_exact_ones(root):
    every = ShapeFolder(root, "train", num_samples=100, num_points=None)
    cloud = next(d for d in every if d.name.endswith("b.npz"))
    exact = torch.from_numpy(sphere())
    exact = exact - cloud.pos.new_zeros(3)
    distance = torch.cdist(cloud.normal.double(), exact).min(1).values
    assert distance.max() < 4e-5  # normals were copied
    assert cloud.pos.norm(dim=1).max().item() == pytest.approx(1, abs=3e-5)
    assert every.processed_file.stat().st_size < len(every) * (12 * 100 + 300) + 4096


def test_samples_are_the_first_points_unless_a_transform_draws_them(root):
    every = ShapeFolder(root, "train", num_samples=64, num_points=None)
    fixed = ShapeFolder(root, "train", **SMALL)
    random = ShapeFolder(root, "train", num_samples=64, num_points=None, transform=RandomSubset(32))
    assert every[9].num_nodes == 64 and torch.equal(every[9].pos[:32], fixed[9].pos)
    assert torch.equal(fixed[9].pos, fixed[9].pos)
    assert random[9].num_nodes == 32 and not torch.equal(random[9].pos, random[9].pos)
    assert len({d.processed_file for d in (every, fixed, random)}) == 1


def test_subsets_and_ragged_batches(root):
    data = ShapeFolder(root, "train", **SMALL)
    part = data[torch.tensor([10, 2, 0])]
    assert part.y.tolist() == [1, 0, 0] and part.names[0] == "train/box/b2.off"
    batch = next(iter(DataLoader(data, batch_size=len(data))))
    assert batch.y.tolist() == data.y.tolist() and batch.num_graphs == 11
    assert batch.batch.bincount().tolist() == [d.num_nodes for d in data]


def test_batches_feed_the_network_unchanged(root):
    double = Compose([lambda data: data.update({"pos": 2 * data.pos})])
    shapes = ShapeFolder(root, "train", **SMALL, transform=double)
    assert torch.equal(shapes[0].x, torch.cat([shapes[0].normal, shapes[0].pos], dim=1))
    model = CCNN.from_preset(
        "ccnn_4_16", dim=3, in_channels=6, out_channels=shapes.num_classes, num_neighbors=8
    )
    assert model(next(iter(DataLoader(shapes, batch_size=5)))).shape == (5, 2)
    own = ShapeFolder(root, "train", **SMALL, transform=PointFeatures("pos"))
    assert torch.equal(own[0].x, own[0].pos)


def test_files_are_read_once(root, monkeypatch):
    first = ShapeFolder(root, "train", **SMALL)
    stamp = first.processed_file.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr(processing, "read_shape", lambda path: pytest.fail("read again"))
        again = ShapeFolder(root, "train", num_samples=64, num_points=7)
    assert again.processed_file.stat().st_mtime_ns == stamp
    assert torch.equal(again[0].pos, first[0].pos[:7])


def test_settings_and_changed_files_do_not_collide(root, write_box):
    variants = [{}, {"seed": 1}, {"num_samples": 65}, {"k": 5}, {"on_error": "skip"}]
    sets = [ShapeFolder(root, "train", **{**SMALL, **v}) for v in variants]
    assert len({d.processed_file for d in sets}) == len(variants)
    assert not torch.equal(sets[0][9].pos, sets[1][9].pos)
    write_box(root / "train/box/b9.off")
    assert len(ShapeFolder(root, "train", **SMALL)) == 12
    write_box(root / "train/box/b9.off", (1, 1, 9.5))
    changed = ShapeFolder(root, "train", **SMALL)[11].pos
    assert (changed.abs().max(0).values.min() / changed.abs().max()) < 0.2


def test_workers_give_the_same_points_in_the_same_order(root, sent):
    here = ShapeFolder(root, "train", cache=root / "here", num_workers=0, **SMALL)
    asked = sent(conversion)
    there = ShapeFolder(root, "train", cache=root / "there", num_workers=2, **SMALL)
    assert asked == [2]
    assert here.processed_file.name == there.processed_file.name and here.names == there.names
    for a, b in zip(here, there, strict=True):
        assert torch.equal(a.pos, b.pos) and torch.equal(a.normal, b.normal)


def test_points_depend_on_the_file_alone(root, write_box):
    before = ShapeFolder(root, "test", **SMALL)
    write_box(root / "test/box/a_new_first.off")
    after = ShapeFolder(root, "test", **SMALL)
    assert torch.equal(before[-1].pos, after[-1].pos) and before.names[-1] == after.names[-1]


def test_princeton_shapes(shared, tmp_path):
    """Real shapes with stored normals, 2,048 points each; of the ten large classes every fourth is held out."""
    large = [
        *("aircraft", "animal", "blade", "body_part", "building"),
        *("furniture", "liquid_container", "plant", "sea_vessel", "vehicle"),
    ]
    with np.load(shared("psb.npz")) as archive:
        pos, normal, path = (archive[key] for key in ("pos", "normal", "path"))
    top = np.array([p.split("/")[0] for p in path])
    for name in large:
        for rank, i in enumerate(np.flatnonzero(top == name)):
            target = tmp_path / ("validation" if rank % 4 == 3 else "train") / name / f"m{i:04d}.npy"
            target.parent.mkdir(parents=True, exist_ok=True)
            np.save(target, np.concatenate([pos[i], normal[i]], axis=1).astype(np.float32))
    train, validation = (ShapeFolder(tmp_path, split) for split in ("train", "validation"))
    assert (len(train), len(validation), train.num_classes) == (520, 167, 10)
    assert train.classes == validation.classes == large
    assert train.processed_file.stat().st_size < 520 * 25_000
    radius = torch.stack([sample.pos.norm(dim=1).max() for sample in validation])
    assert radius.min() > 0.5 and radius.max() <= 1 + 3e-5
