"""The study of fitted kernels: both trainings of a task differ in the kernels alone, and are compared seed by seed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import defaults
from ccnn_geo.training.runs import find_config

KERNELS = {"model__omega_0", "model__window_init", "model__conv"}


def test_both_trainings_of_a_task_differ_in_the_kernels_alone(tmp_path, monkeypatch):
    asked = {}

    def train(folder: Path, config: str, seed: int, **changes: object) -> dict:
        assert not config or find_config(config).is_file()
        asked[folder.name] = changes
        better = 0.5 + seed if "fitted" in folder.name else 0.0
        return {"accuracy": 70.0 + better, "seconds": [60.0], "parameters": 9}

    monkeypatch.setattr(defaults, "train", train)
    monkeypatch.setattr(defaults, "auroc", lambda checkpoint, task, root: 0.5)
    root = tmp_path / "data"
    for task in defaults.TASKS[1:]:
        (root / task.folder).mkdir(parents=True)
    report = run_study(defaults.STUDY, Options("small", root, (0, 2)), tmp_path / "out", say=str).read_text()
    rows = [line.split(" | ") for line in report.splitlines() if "| 9 |" in line]
    assert [row[0].removeprefix("| ") for row in rows] == [task.name for task in defaults.TASKS[1:]]
    for row in rows[:-1]:
        assert row[2:5] == ["70.0 ± 0.0", "71.5 ± 1.4", "+1.5 ± 1.0"]
    assert rows[-1][2:5] == ["50.0 ± 0.0", "50.0 ± 0.0", "+0.0 ± 0.0"]  # of an area, not of the accuracy
    for task in defaults.TASKS[1:]:
        hand, fitted = (asked[f"{task.folder}-{setting}-2"] for setting in defaults.SETTINGS)
        assert {k: v for k, v in hand.items() if k not in KERNELS} == {
            k: v for k, v in fitted.items() if k not in KERNELS
        }
        assert fitted["model__omega_0"] is None and fitted["model__window_init"] is None


def test_without_any_data_it_says_what_it_looks_for(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="expected one of mnist, fsdd, cifar10, shapes, voxels, physionet2012"
    ):
        defaults.jobs(Options("small", tmp_path, (0,)))


def test_area_under_the_curve_is_the_share_of_pairs_in_order(tmp_path, monkeypatch):
    """For two classes: how often a record of class 1 is ranked above one of class 0."""
    score, y = torch.randn(40), torch.arange(40) % 3 == 0

    class Records(list):
        def __init__(self, *args, **kwargs):
            super().__init__(score)

        @property
        def y(self):
            return y.long()

    monkeypatch.setattr(defaults, "dataset_class", lambda name: Records)
    network = torch.nn.Module()
    network.forward = lambda batch: F.pad(batch.unsqueeze(1), (1, 0))
    monkeypatch.setattr(defaults, "read_network", lambda checkpoint: ({}, network))
    found = defaults.auroc(tmp_path, defaults.TASKS[-1], tmp_path)
    pairs = [float(a > b) for a in score[y] for b in score[~y]]
    assert found == pytest.approx(np.mean(pairs), abs=1e-6)
