"""What a scan goes through: as the data set does it, from settings that a checkpoint keeps."""

import json

import numpy as np
import pytest
import torch

from ccnn_geo.datasets.scenes.lidar import LidarFrames
from ccnn_geo.io.scans.frames import Frame
from ccnn_geo.transforms.pipelines.base import make_pipeline
from ccnn_geo.transforms.pipelines.scans import ScanPipeline

RNG = np.random.default_rng(0)


def write_bin(path, num=400):
    rows = RNG.uniform(-40, 40, (num, 4)).astype("<f4")
    rows[:, 3] = RNG.uniform(0, 1, num)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.tofile(path)
    RNG.integers(0, 4, num).astype("<u4").tofile(path.with_suffix(".label"))
    return rows.astype(np.float64)


@pytest.mark.parametrize("changes", [{}, {"voxel": 9.0}, {"normalize": False, "unit": 7.0}], ids=str)
def test_a_data_set_and_its_pipeline_give_the_same(tmp_path, changes):
    write_bin(tmp_path / "train/a.bin")
    write_bin(tmp_path / "test/a.bin")
    frames = LidarFrames(tmp_path, "test", features=["intensity", "z"], classes=[3, 1], **changes)
    plan = make_pipeline(json.loads(json.dumps(frames.pipeline.settings())))  # as a file keeps it
    theirs, ours = frames[0], plan(plan.read(tmp_path / "test/a.bin"))
    assert (
        torch.equal(theirs.x, ours.x) and torch.equal(theirs.pos, ours.pos) and torch.equal(theirs.y, ours.y)
    )
    assert plan.in_channels == 2 and plan.settings() == frames.pipeline.settings()


def test_a_sample_by_hand(tmp_path):
    xyz = RNG.uniform(0, 30, (200, 3))
    frame = Frame(xyz, {"intensity": RNG.uniform(0, 1, 200)}, np.arange(200) % 5)
    plan = ScanPipeline(
        ("intensity", "x", "constant"), {"intensity": (0.4, 0.2)}, unit=10.0, num_points=50, classes=[4, 0]
    )
    data, keep = plan(frame), np.arange(50) * 4
    middle = (xyz[keep].min(0) + xyz[keep].max(0)) / 2
    assert np.allclose(data.pos, (xyz[keep] - middle) / 10, atol=1e-6)
    expected = [(frame.fields["intensity"][keep] - 0.4) / 0.2, data.pos[:, 0], np.ones(50)]
    assert np.allclose(data.x, np.stack(expected, axis=1), atol=1e-6)
    assert data.y.tolist() == [{4: 0, 0: 1}.get(int(code), -1) for code in keep % 5]
    few = ScanPipeline(("x",), max_points=30)
    chosen = [few.thinned(xyz, seed) for seed in (0, 0, 1)]
    assert len(chosen[0]) == 30 and np.array_equal(*chosen[:2]) and not np.array_equal(chosen[0], chosen[2])


def test_other_cubes_keep_other_points():
    xyz = RNG.uniform(0, 30, (500, 3))
    plan = ScanPipeline(("x",), voxel=10.0)
    at = [plan.thinned(xyz, shift=shift) for shift in (0.0, np.full(3, 5.0))]
    assert len(at[0]) == 27 and not np.array_equal(at[0], at[1])
    cubes = np.floor((xyz[at[1]] + 5) / 10)
    assert len(np.unique(cubes, axis=0)) == len(at[1])


def test_what_cannot_be_is_refused():
    frame = Frame(RNG.uniform(0, 30, (20, 3)), {"ring": np.zeros(20)}, None)
    with pytest.raises(ValueError, match="scan: no intensity, the file has ring"):
        ScanPipeline()(frame)
    with pytest.raises(ValueError, match=r"expected numbers above 0, got \{'tile': -1\.0\}"):
        ScanPipeline(tile=-1.0)
    with pytest.raises(ValueError, match="expected moments to be pairs of mean and deviation"):
        ScanPipeline(moments={"intensity": [1.0]})
