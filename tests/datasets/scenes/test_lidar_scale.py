"""Measurements and positions of scans on the scale of the training part."""

import numpy as np
import pytest
import torch

from ccnn_geo.datasets.scenes import lidar_scans
from ccnn_geo.datasets.scenes.lidar import LidarFrames
from ccnn_geo.training.data.points import PointsDataModule
from tests.io.las_on_disk import las_bytes

RNG = np.random.default_rng(0)


def write(path, num, level=840, size=100.0):
    grid = RNG.uniform(0, 1000, (num, 3)).astype(int) * [size / 10, size / 20, size / 100]
    intensity = RNG.integers(level // 2, 3 * level // 2, num)
    returns, codes = 1 + RNG.integers(0, 3, num), RNG.choice([1, 2, 9], num)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(las_bytes(grid.astype(int), intensity, returns, np.full(num, 3), codes))
    return grid.astype(int) * 0.01, intensity, returns


@pytest.fixture
def scenes(tmp_path):
    found = {
        name: write(tmp_path / name, *rest)
        for name, *rest in (
            ("train/a.las", 300),
            ("train/b.las", 500, 2000, 60.0),
            ("test/c.las", 200, 100, 300.0),
        )
    }
    return tmp_path, found


NAMES = ["intensity", "return_number", "num_returns", "constant", "z"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_mean_and_deviation_of_the_training_part(scenes, split):
    root, found = scenes
    train = [np.concatenate([found[f"train/{n}.las"][k] for n in "ab"]) for k in (1, 2)]
    for data in LidarFrames(root, split, features=NAMES):
        _, *columns = found[data.name]
        for i, (of_train, values) in enumerate(zip(train, columns, strict=True)):
            expected = (values - of_train.mean()) / of_train.std()
            assert np.abs(data.x[:, i].numpy() - expected).max() < 1e-5
        assert torch.equal(data.x[:, 2], torch.zeros(len(data.x)))  # always 3: moved, not blown up
        assert (data.x[:, 3] == 1).all() and torch.equal(data.x[:, 4], data.pos[:, 2])
    plain = LidarFrames(root, split, features=NAMES, normalize=False)[0]
    assert np.allclose(plain.x[:, 0], found[plain.name][1] / 65535)


def test_all_splits_and_openings_have_one_scale(scenes, monkeypatch):
    root, _ = scenes
    first = LidarFrames(root, "test", tile=50.0, features=NAMES)
    x = first[1].x
    monkeypatch.setattr(
        lidar_scans,
        "survey",
        lambda paths, read, target: pytest.fail() if not target.exists() else real(paths, None, target),
    )
    again = LidarFrames(root, "test", tile=50.0, features=NAMES)
    assert torch.equal(again[1].x, x)
    LidarFrames(root, features=NAMES)  # nothing is read again


real = lidar_scans.survey


def test_positions_are_on_the_unit_by_default(scenes):
    root, found = scenes
    longest = max(np.ptp(found[f"train/{n}.las"][0], axis=0).max() for n in "ab")
    train, test = LidarFrames(root), LidarFrames(root, "test")
    assert train.unit == test.unit == pytest.approx(longest / 2)
    assert max(float(d.pos.abs().max()) for d in train) == pytest.approx(1)
    assert float(test[0].pos.abs().max()) == pytest.approx(3, rel=0.05)  # three times as large
    assert LidarFrames(root, tile=20.0).unit == 10
    for data in train:
        metres = (data.pos.double() * train.unit + data.origin).numpy()
        assert np.abs(metres - found[data.name][0]).max() < 1e-4
    alone = LidarFrames(root / "test", None)
    assert float(alone[0].pos.abs().max()) == pytest.approx(1)


def test_positions_far_beyond_are_said_once(scenes):
    root, _ = scenes
    frames = LidarFrames(root, unit=1.0, features=["constant"])
    with pytest.warns(
        UserWarning, match=r"positions of train/a\.las go to 49\.\d with unit=1, expected about 1"
    ) as told:
        assert frames[0].pos.abs().max() > 40 and frames[1].pos.abs().max() > 20
    assert len(told) == 1


def test_other_files_or_labels_are_measured_anew(scenes):
    root, _ = scenes
    before = LidarFrames(root, "test")[0].x
    write(root / "train/d.las", 1000, 9000)
    assert not torch.equal(LidarFrames(root, "test")[0].x, before)


def test_without_a_training_part(scenes):
    root, found = scenes
    (root / "train").rename(root / "elsewhere")
    for more in ({}, {"normalize": False}, {"unit": 50.0}):
        with pytest.raises(
            FileNotFoundError, match="no folder 'train' to standardise by; normalize=False and a unit do"
        ):
            LidarFrames(root, "test", **more)
    data = LidarFrames(root, "test", normalize=False, unit=150.0, classes=[1])[0]
    assert np.allclose(data.x[:, 0], found["test/c.las"][1] / 65535)


def test_a_training_says_which_labels_there_are(scenes):
    root, _ = scenes
    module = PointsDataModule("lidar", str(root), {"classes": [1, 9], "tile": 20.0})
    module.setup("fit")
    (line,) = module.notes
    assert line.startswith("labels found: 1 (") and line.endswith(
        "; classes are [1, 9], others have no label"
    )
    assert sum(int(part.partition(" (")[2].split()[0]) for part in line.split("; ")[0].split(", ")) == 800
    with pytest.raises(
        ValueError, match=r"lidar needs classes, got \{\}; labels found: 1 \(\d+ points\), 2 .*as they are"
    ):
        PointsDataModule("lidar", str(root)).setup("fit")
