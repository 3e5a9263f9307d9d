"""The study from voxel grids to points of meshes: what is trained, what is asked, and the table."""

import numpy as np
import pytest

from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import grids_to_meshes
from ccnn_geo.experiments.studies.budget_training import train_within

CLASSES = ("ball", "bar")
TINY = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 4}


def solid(name, rng):
    grid = np.zeros((12, 12, 12), np.uint8)
    size = rng.integers(3, 5)
    grid[6 - size : 6 + size, 4:8, 4:8] = 1
    if name == "ball":
        grid[6 - size : 6 + size, 6 - size : 6 + size, 6 - size : 6 + size] = 1
    return grid


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for name in CLASSES:
        for split, count in (("train", 6), ("validation", 2), ("test", 3)):
            folder = tmp_path / "root/voxels" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                np.save(folder / f"{i}.npy", solid(name, rng))
        folder = tmp_path / "root/half/test" / name
        folder.mkdir(parents=True)
        np.save(folder / "0.npy", solid(name, rng).reshape(6, 2, 6, 2, 6, 2).max(axis=(1, 3, 5)))
        folder = tmp_path / "root/meshes/test" / name
        folder.mkdir(parents=True)
        for i in range(2):
            cells = np.argwhere(solid(name, rng)) + rng.random((1, 3))
            np.save(folder / f"{i}.npy", cells.astype(np.float32))
    return tmp_path / "root"


def test_from_grids_to_a_report(root, tmp_path, monkeypatch):
    asked = []

    def here(function, folder, config, kind, epochs, seconds):
        assert function is train_within
        asked.append((config["seed"], dict(config["model"]), epochs, seconds))
        small = {**config, "model": {**config["model"], "preset": None, **TINY}}
        small["data"] = {**config["data"], "num_points": 16, "num_samples": 64, "batch_size": 4}
        return train_within(folder, small, kind, 2, None)

    monkeypatch.setattr(grids_to_meshes, "apart", here)
    monkeypatch.setattr(grids_to_meshes, "VOTES", 2)
    text = run_study(
        grids_to_meshes.STUDY, Options("small", root, (0, 1)), tmp_path / "out", say=str
    ).read_text()
    assert [(seed, epochs, seconds) for seed, _, epochs, seconds in asked] == [
        (s, 15, None) for s in (0, 0, 0, 1, 1, 1)
    ]
    assert [model["preset"][9:] for _, model, *_ in asked] == ["", "_sets", "_sets"] * 2
    rows = [line for line in text.splitlines() if line.startswith(("| CCNN-4,32", "| four CCNN"))]
    assert len(rows) == 3 and all(line.count("|") == 13 and " ± " in line for line in rows)


def test_mean_class_accuracy_is_by_hand(root, monkeypatch):
    config = grids_to_meshes.settings("ccnn_4_32", root, 0)
    config["data"] |= {"num_points": 16, "num_samples": 64}

    class Always:
        def __call__(self, batch):
            return batch.pos.new_tensor([[0.0, 1.0]]).expand(batch.num_graphs, 2)

    once, voted, label = grids_to_meshes.on_test(Always(), config, root / "meshes")
    assert label.tolist() == [0, 0, 1, 1] and once.argmax(1).tolist() == [1] * 4 and voted.shape == (4, 2)


def test_other_classes_and_missing_parts_are_refused(root, tmp_path):
    with pytest.raises(FileNotFoundError, match="expected voxels/test in it"):
        grids_to_meshes.jobs(Options("small", tmp_path, (0,)))
    (root / "meshes/test/bar").rename(root / "meshes/test/cup")
    config = grids_to_meshes.settings("small", root, 0)
    with pytest.raises(ValueError, match="expected the classes of the training, ball, bar, got"):
        grids_to_meshes.on_test(None, config, root / "meshes")
