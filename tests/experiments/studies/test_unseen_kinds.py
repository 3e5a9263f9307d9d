"""The study of unseen kinds: what each training sees, and the table it writes."""

from itertools import chain
from pathlib import Path

import pytest

from ccnn_geo.experiments.data.kind_folds import HEADER, KINDS
from ccnn_geo.experiments.engine.reproduction import Options
from ccnn_geo.experiments.studies import unseen_kinds

CLASSES, OWN = ("blade", "plant"), ("a", "b", "c", "d")


@pytest.fixture
def root(tmp_path):
    """Two classes of four kinds of two shapes each."""
    rows = [",".join(HEADER)]
    for name in CLASSES:
        (tmp_path / "root/train" / name).mkdir(parents=True)
        for kind in OWN:
            for i in range(2):
                file = f"train/{name}/{kind}{i}.npy"
                (tmp_path / "root" / file).touch()
                rows.append(f"{file},{name}/{kind}")
    (tmp_path / "root" / KINDS).write_text("\n".join(rows) + "\n")
    return tmp_path / "root"


def test_trainings_of_a_seed_hold_out_each_kind_once(root, tmp_path, monkeypatch):
    seen = []

    def train(function, folder, config, kind, epochs, seconds):
        assert (epochs, seconds) == (unseen_kinds.EPOCHS, None)
        held = Path(config["data"]["root"], "validation").glob("*/*")
        seen.append((config["seed"], [f"{path.parent.name}/{path.stem}" for path in held]))
        return {"accuracy": 50.0}

    monkeypatch.setattr(unseen_kinds, "apart", train)
    jobs = unseen_kinds.jobs(Options("small", root, (1,)))
    rows = unseen_kinds.SCALES["small"]
    assert [job.name for job in jobs] == [f"{name}-{draw}" for draw in range(4, 8) for name in rows]
    for job in jobs:
        (tmp_path / "jobs" / "jobs" / job.name).mkdir(parents=True)
        assert job.run(tmp_path / "jobs" / "jobs" / job.name)["shapes"] == 4
    assert {seed for seed, _ in seen} == {1}
    held = sorted(chain.from_iterable(files for _, files in seen[:: len(rows)]))
    assert held == [f"{name}/{kind}{i}" for name in CLASSES for kind in OWN for i in range(2)]


def test_report_pools_all_shapes_of_a_parting(tmp_path):
    options = Options("small", tmp_path, (0, 1))
    numbers = {}
    for name in unseen_kinds.SCALES["small"]:
        for draw in range(8):
            accuracy = {"pointnet": 80.0}.get(name, 84.0 if draw % 4 == 0 else 76.0)
            numbers[f"{name}-{draw}"] = {
                "accuracy": accuracy + (2 if draw >= 4 else 0),
                "shapes": 300 if draw % 4 == 0 else 100,
                "training": 99.0,
                "parameters": 12345,
                "seconds": [60.0, 150.0],
            }
    assert unseen_kinds.pooled(numbers, "strong", 0) == pytest.approx((84 * 300 + 76 * 300) / 600)
    text = unseen_kinds.report(numbers, options, tmp_path)
    assert "| PointNet | 12,345 | 99.0 | 81.0 ± 1.4 |  | 2.5 |" in text
    for name in ("ccnn_4_48", "strong"):
        assert f"| {unseen_kinds.ROWS[name].title} | 12,345 | 99.0 | 81.0 ± 1.4 | +0.0 ± 0.0 | 2.5 |" in text


def test_a_folder_without_kinds_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a table of files and kinds"):
        unseen_kinds.jobs(Options("small", tmp_path, (0,)))
