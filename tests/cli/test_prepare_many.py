"""Files of a data set prepared by several processes: shared, continued after a kill, put together once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ccnn_geo.cli.data import prepare
from ccnn_geo.datasets import ShapeFolder

SCRIPT = Path(__file__).with_name("prepare_some.py")
NAMES = [f"{i:02d}.npy" for i in range(14)]


@pytest.fixture
def root(tmp_path):
    """Two classes of seven clouds."""
    for i, name in enumerate(NAMES):
        path = tmp_path / "clouds/train" / ("ball", "disc")[i % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.random.default_rng(i).normal(size=(40, 6)))
    return tmp_path / "clouds"


def start(root, rank, size, kill_at=0, together=0):
    command = [sys.executable, SCRIPT, root.parent / "notes", str(kill_at), str(together)]
    command += ["data", "prepare", "folder", "--root", root]
    environment = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_share_files_and_go_on_after_a_kill(root):
    expected = ShapeFolder(root, "train", cache=root.parent / "alone").processed_file
    first = start(root, 0, 2, kill_at=5)
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    before = (root.parent / "notes").read_text().split()
    assert len(before) == 4
    both = [start(root, rank, 2, together=2) for rank in (0, 1)]
    told = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert "train: 14 samples, 2 classes" in told[0][0] and told[0][0].count("ready for") == 1
    assert told[1] == ("", ""), "one process says it for all"
    assert sorted((root.parent / "notes").read_text().split()) == NAMES  # none was converted twice
    assert (root / "processed" / expected.name).read_bytes() == expected.read_bytes()
    assert [path.suffix for path in sorted((root / "processed").iterdir())] == [".lock", ".npz"]


def test_files_that_cannot_be_read_are_named_by_one_process(root):
    (root / "train/disc/01.npy").write_bytes(b"no array")
    both = [start(root, rank, 2, together=2) for rank in (0, 1)]
    told = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [1, 1]
    assert sorted(
        ("01.npy" in errors, "another process met files that cannot be used" in errors) for _, errors in told
    ) == [(False, True), (True, False)]
    assert [path.suffix for path in (root / "processed").iterdir()] == [".lock"]


def test_what_has_no_files_to_share_is_prepared_by_the_first_process(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", "1")
    for name, options in (("parametric", {}), ("mnist", {}), ("pathfinder", {"generate": 10})):
        lines = list(prepare(name, str(tmp_path), options=options))
        assert lines == [f"{name}: no files to share, process 0 prepares it; this one, 1 of 0 to 2, leaves"]
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("RANK", "0")
    sizes = {"train_per_class": 1, "test_per_class": 1, "num_samples": 40, "num_points": 32}
    lines = list(prepare("parametric", str(tmp_path), ["test"], options=sizes))
    assert lines[1].startswith("test: 10 samples, 10 classes")
