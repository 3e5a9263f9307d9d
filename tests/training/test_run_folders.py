"""What a failed start leaves in a folder, the names of results, and advice on how to go on; no training."""

import json
import shlex

from ccnn_geo.training.failures import how_to_continue
from ccnn_geo.training.runs import discard_run, result_name, results_before


def test_only_what_a_failed_start_leaves_is_removed(tmp_path):
    for kept in ("checkpoints/last.ckpt", "metrics.csv", "notes.txt"):
        path = tmp_path / "run" / kept
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        discard_run(tmp_path / "run")
        assert path.exists()
        path.unlink()
    (tmp_path / "run/checkpoints/.best.ckpt.7.tmp").touch()
    (tmp_path / "run/config.yaml").touch()
    discard_run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_earlier_results_are_those_of_another_step():
    results = {
        "validation": {"checkpoint": "best.ckpt", "step": 9},
        "test_points": {"checkpoint": "best.ckpt", "step": 5},
        "test_voxels": {"checkpoint": "best.ckpt", "step": 9},
        "test_points_last": {"checkpoint": "last.ckpt", "step": 5},
        "test_points_2": {"checkpoint": "best.ckpt"},  # of a release that did not say it
    }
    assert results_before(results, {"checkpoint": "best.ckpt", "step": 9}) == ["test_points"]
    assert results_before(results, {}) == []


def test_names_of_results():
    about = {"checkpoint": "best.ckpt", "settings": {}}
    old = {"test_points": {"accuracy": 0.5, "checkpoint": "best.ckpt"}}
    assert result_name("points", "points", about, json.loads(json.dumps(old))) == "test_points"
    assert (
        result_name("voxels", "points", {**about, "settings": {"data.carrier": "voxels"}}, {})
        == "test_voxels"
    )
    assert result_name("points", "points", {**about, "settings": {"data.root": "x"}}, {}) == "test_points_2"
    assert result_name("points", "points", {**about, "checkpoint": "other/best.ckpt"}, old) == "test_points_2"


def test_advice_can_be_pasted(tmp_path):
    run = tmp_path / "two words; $HOME's"
    (run / "checkpoints").mkdir(parents=True)
    assert how_to_continue(run) == ""
    (run / "checkpoints/last.ckpt").touch()
    command = how_to_continue(run).removeprefix("; continue with: ")
    assert shlex.split(command) == ["ccnn-geo", "train", "--resume", str(run)]
