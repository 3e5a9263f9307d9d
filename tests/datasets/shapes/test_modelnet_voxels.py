"""Voxelised ModelNet10, from boxes in the official layout; and what shape data sets say of themselves."""

import shutil

import pytest
import torch
from torch_geometric.loader import DataLoader

from ccnn_geo import CCNN
from ccnn_geo.datasets import ModelNet10, ModelNet40, ParametricShapes, ShapeFolder
from ccnn_geo.datasets.registry import dataset_class
from ccnn_geo.datasets.shapes.modelnet_voxels import ModelNet10Voxels
from ccnn_geo.functional.lattice.offsets import detect_spacing
from ccnn_geo.transforms import RandomRotate

SMALL = {"download": False, "check_counts": False}


@pytest.fixture
def root(tmp_path, write_box):
    for i, name in enumerate(("bed", "chair", "chair", "toilet")):
        for split in ("train", "test"):
            write_box(tmp_path / f"ModelNet10/{name}/{split}/{name}_{i}.off", (1, 1 + i, 2))
    return tmp_path


def test_cells_of_a_lattice(root):
    data = ModelNet10Voxels(root, **SMALL)
    assert type(data) is dataset_class("modelnet10_voxels") and (len(data), data.num_classes) == (4, 10)
    assert data.y.tolist() == [1, 2, 2, 9]
    for sample in data:
        assert sample.x.shape == sample.pos.shape == (512, 3) and torch.equal(sample.x, sample.pos)
        cell = (sample.pos + 1) * 20 - 0.5  # centres: -0.975, -0.925 and so on
        assert (cell - cell.round()).abs().max() < 1e-4 and cell.min() > -0.1 and cell.max() < 39.1
        assert len(sample.pos.unique(dim=0)) == 512
        assert detect_spacing(sample.pos) == pytest.approx((0.05,) * 3, rel=1e-4)
        assert sample.pos.norm(dim=1).max() < 1 + 0.05
    assert torch.equal(data[0].pos, ModelNet10Voxels(root, **SMALL)[0].pos)


def test_all_cells_are_those_that_points_fall_in(root):
    whole = ModelNet10Voxels(root, num_voxels=None, **SMALL)[0]
    points = ModelNet10(root, num_points=None, num_samples=4096, **SMALL)[0]
    occupied = ((points.pos + 1) * 20).floor().clamp(0, 39).unique(dim=0)
    assert torch.allclose(whole.pos, (occupied + 0.5) / 20 - 1, atol=1e-6) and len(occupied) > 512
    part = ModelNet10Voxels(root, **SMALL)[0]
    assert {tuple(p) for p in part.pos.tolist()} < {tuple(p) for p in whole.pos.tolist()}


@pytest.mark.parametrize("features", [("pos",), ("normal", "pos")])
def test_dense_grids_hold_the_same(root, features):
    points = ModelNet10Voxels(root, features=features, **SMALL)
    grids = ModelNet10Voxels(root, features=features, grid=True, **SMALL)
    grid, label = grids[1]
    assert grid.shape == (3 * len(features), 40, 40, 40) and grid.dtype == torch.float32
    assert label == 2 and isinstance(label, int)
    cell = ((points[1].pos + 1) * 20 - 0.5).round().long()
    assert torch.allclose(grid[:, cell[:, 0], cell[:, 1], cell[:, 2]].T, points[1].x)
    assert (grid != 0).any(0).sum() == 512
    assert grids[1:3][0][1] == 2  # parts are data sets too
    x, y = next(iter(torch.utils.data.DataLoader(grids, batch_size=4)))
    assert x.shape == (4, 3 * len(features), 40, 40, 40) and y.tolist() == [1, 2, 2, 9]


def test_augmentation_comes_before_the_lattice(root):
    torch.manual_seed(0)
    data = ModelNet10Voxels(root, transform=RandomRotate("z", 180), random=True, **SMALL)
    a, b = data[0], data[0]
    assert not torch.equal(a.pos, b.pos)
    for sample in (a, b):
        cell = (sample.pos + 1) * 20 - 0.5
        assert (cell - cell.round()).abs().max() < 1e-4


def test_other_sizes_and_wrong_arguments(root):
    small = ModelNet10Voxels(root, size=8, num_voxels=None, grid=True, num_samples=256, **SMALL)
    assert small[0][0].shape == (3, 8, 8, 8)
    for features in ((), "pos", ("x",)):
        with pytest.raises(ValueError, match="features: expected a list of pos and normal"):
            ModelNet10Voxels(root, features=features, **SMALL)
    with pytest.raises(ValueError, match="splits train, test, got 'validation'"):
        ModelNet10Voxels(root, "validation")
    with pytest.raises(ValueError, match="expected 3991"):
        ModelNet10Voxels(root, download=False)


def test_a_network_takes_both_forms(root):
    model = CCNN.from_preset("ccnn_4_16", dim=3, in_channels=3, out_channels=10)
    batch = next(iter(DataLoader(ModelNet10Voxels(root, num_voxels=64, **SMALL), batch_size=4)))
    torch.nn.functional.cross_entropy(model(batch), batch.y).backward()
    grids = ModelNet10Voxels(root, size=10, grid=True, **SMALL)
    x, _ = next(iter(torch.utils.data.DataLoader(grids, batch_size=2)))
    assert model.eval()(x).shape == (2, 10)


def test_real_meshes(shared, tmp_path):
    for path in sorted(shared("off").glob("[a-z]*_[0-9]*.off")):
        if not path.name.startswith("broken"):
            target = tmp_path / "ModelNet10" / path.stem.rsplit("_", 1)[0] / "train" / path.name
            target.parent.mkdir(parents=True)
            shutil.copy(path, target)
    data = ModelNet10Voxels(tmp_path, **SMALL)
    assert data.y.tolist() == list(range(10)) and [d.num_nodes for d in data] == [512] * 10
    assert min(d.num_nodes for d in ModelNet10Voxels(tmp_path, num_voxels=None, **SMALL)) > 1000


@pytest.mark.parametrize("cls", [ModelNet10, ModelNet40, ModelNet10Voxels, ParametricShapes, ShapeFolder])
def test_what_they_say_of_themselves(cls):
    info = cls.info
    assert dataset_class(info.name) is cls and info.family == "shape" and info.dim == 3
    if info.name.startswith("modelnet"):
        (file,) = info.files
        assert (file.url, file.checksum) == (cls.url, f"sha256:{cls.sha256}")
        assert file.path == f"{cls.name}.zip" and dict(info.counts) == dict(cls.counts)
        assert info.classes == len(cls.all_classes)
