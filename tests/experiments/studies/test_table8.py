"""Configurations of Table 8: a block each, all else alike."""

import pytest
import yaml

from ccnn_geo.cli.info import configured_network
from ccnn_geo.experiments.engine import training_study
from ccnn_geo.experiments.engine.reproduction import Options
from ccnn_geo.experiments.studies import table8
from ccnn_geo.training.runs import find_config


def read(name: str) -> dict:
    return yaml.safe_load(find_config(name).read_text())


@pytest.mark.parametrize("task", ["scifar10", "cifar10"])
@pytest.mark.parametrize("block", ["flex", "s4"])
def test_blocks_differ_in_nothing_else(task, block):
    ours, paper = (read(f"{task}/{b}_4_140") for b in (block, "ccnn"))
    assert ours.pop("name") == f"{task}_{block}_4_140" and paper.pop("name") == f"{task}_4_140"
    assert ours["model"].pop("block") == block and ours == paper


def test_parameters_in_the_plane():
    """A FlexCNN block has a kernel, biases, a window (8,684 + 140 + 2) and a norm (280) more, its net no last norm."""
    sizes = {
        block: sum(p.numel() for p in configured_network(read(f"cifar10/{block}_4_140")).parameters())
        for block in ("ccnn", "s4", "flex")
    }
    more = 4 * (8684 + 140 + 2 + 280) - 280
    assert sizes == {"ccnn": 201_042, "s4": 201_042, "flex": 201_042 + more}


def test_small_scale_changes_the_block_alone(tmp_path, monkeypatch):
    asked = []

    def train(folder, config, seed, **changes):
        asked.append((changes.pop("model__block"), config, changes))
        return {}

    monkeypatch.setattr(training_study, "train", train)
    monkeypatch.setattr(training_study, "test", lambda folder: 65.0)
    for job in table8.STUDY.jobs(Options("small", tmp_path, (0,))):
        job.run(tmp_path)
    assert [block for block, *_ in asked] == ["ccnn", "flex", "s4"] * 2
    for alike in (asked[:3], asked[3:]):
        assert all(other[1:] == alike[0][1:] for other in alike)
    assert asked[0][1:] != asked[3][1:]
