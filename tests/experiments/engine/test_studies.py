"""Studies at toy size: they run, and their reports have the rows they promise."""

import json
import subprocess
import sys

import pytest
import torch

from ccnn_geo import cli
from ccnn_geo.experiments.engine import training_job, training_study
from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.engine.studies import EFFICIENCY, NAMES
from ccnn_geo.experiments.studies import fig6, fig8, fig9, table8, voxel_to_point
from ccnn_geo.training.runs import find_config
from tests.fixtures.shapes_on_disk import write_clouds


def test_fig6_shows_unit_variance(tmp_path, monkeypatch):
    monkeypatch.setattr(fig6, "SHOWN", {"small": ("sequence 1,024",)})
    report = run_study(fig6.STUDY, Options("small", None, (0, 1)), tmp_path, say=str).read_text()
    assert report.count("| sequence 1,024 |") == 1 and (tmp_path / "logits.png").stat().st_size > 1000
    assert_unit_variance(tmp_path, jobs=2)


def assert_unit_variance(out, jobs):
    results = json.loads((out / "results.json").read_text())["jobs"].values()
    assert len(results) == jobs
    for result in results:
        assert 0.3 < result["variance"] < 3 and not 0.3 < result["variance_without"] < 3
        assert result["variance"] == pytest.approx(torch.tensor(result["logits"]).var().item(), rel=1e-3)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Twelve clouds, and settings that train on them in seconds."""
    write_clouds(tmp_path / "shapes", {"train": 4, "validation": 2})
    settings = {
        "data__num_points": 32,
        "data__batch_size": 4,
        "data__voxel_size": 6,
        "data__num_samples": 64,
        "trainer__max_epochs": 1,
        "model__preset": "ccnn_4_16",
        "model__num_neighbors": 8,
    }
    monkeypatch.setattr(voxel_to_point, "SMALL", settings)
    return Options("small", tmp_path / "shapes", (0,))


def test_a_network_trained_on_voxels_sees_points(toy, tmp_path, monkeypatch, trained_here):
    # pictures take longer than so short a training
    monkeypatch.setattr("ccnn_geo.visualization.run_plots.draw_training", lambda *_: None)
    found = voxel_to_point.transfer(toy, "voxels", "band-limited", 0, tmp_path / "job")
    forms = ("voxels", "points", "points, statistics")
    assert all(0 <= found[form] <= 100 for form in forms) and "voxels, statistics" not in found
    assert found["accuracy"] == pytest.approx(found["voxels"])  # of the last epoch, as the run saw it
    assert found["parameters"] == 5899 and len(found["curve"]) == 1
    again = training_job.train(tmp_path / "job", "never read", 0)  # it is done
    assert again["accuracy"] == found["accuracy"]


def test_a_training_that_fails_says_why(tmp_path, monkeypatch, run_cli):
    """Its command in this process: one of its own would import torch for longer than it takes to fail."""

    def here(command, **given):
        assert command[:3] == [sys.executable, "-m", "ccnn_geo.cli"]
        return subprocess.CompletedProcess(command, *run_cli(*command[3:]))

    monkeypatch.setattr(training_job.subprocess, "run", here)
    with pytest.raises(RuntimeError, match=r"ccnn-geo: .*nowhere"):
        training_job.train(tmp_path, "shapes/ccnn_4_32", 0, data__root=str(tmp_path / "nowhere"))


def test_reports_have_a_row_per_case(tmp_path):
    row = {"voxels": 80.0, "points": 79.0, "voxels, statistics": 81.0, "points, statistics": 82.0}
    options = Options("small", tmp_path, (0, 1))
    numbers = {job.name: row for job in voxel_to_point.jobs(options)}
    table = voxel_to_point.report(numbers, options, tmp_path).splitlines()
    assert len(numbers) == 12 and len(table) == 10
    assert (
        "| band-limited | voxels | 80.0 ± 0.0 | points | 79.0 ± 0.0 | -1.0 ± 0.0 | 82.0 ± 0.0 |" in table[4]
    )


@pytest.mark.parametrize("module", [fig8, fig9, table8])
@pytest.mark.parametrize("scale", ["small", "paper"])
def test_tables_of_trainings(module, scale, tmp_path, monkeypatch):
    """With trainings that give numbers at once; each names a configuration that there is."""
    asked = []

    def train(folder, config, seed, **changes):
        asked.append((config, changes))
        curve = [60.0 + seed, 70.0 + seed]
        return {
            "accuracy": curve[-1],
            "curve": curve,
            "training_curve": curve,
            "seconds": [30.0, 60.0],
            "parameters": 1234,
        }

    monkeypatch.setattr(training_study, "train", train)
    monkeypatch.setattr(training_study, "test", lambda folder: 65.0)
    text = run_study(module.STUDY, Options(scale, tmp_path, (0, 2)), tmp_path / "out", say=str).read_text()
    ours = [line.split(" | ") for line in text.splitlines() if "| 1,234 |" in line]
    tested = "none here" if module is fig8 and scale == "small" else "65.0 ± 0.0"
    assert [row[2:5] for row in ours] == [["71.0 ± 1.4", "71.0 ± 1.4", tested]] * (len(asked) // 2)
    assert ("ccnn_6_380" in text) == (module is fig8 and scale == "paper") and (
        tmp_path / "out/curves.png"
    ).exists()
    assert all(find_config(config).is_file() for config, _ in asked)
    assert all(("trainer__max_epochs" in changes) == (scale == "small") for _, changes in asked)


def test_the_command_line_runs_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # a line each
    assert cli.main(["reproduce"]) == 0
    listed = capsys.readouterr().out.splitlines()
    names = [*NAMES, *EFFICIENCY]
    assert [line.split()[0] for line in listed[: len(names)]] == names
    assert cli.main(["reproduce", "efficiency_points", "--tables", "headline", "--list"]) == 0
    assert "headline" in capsys.readouterr().out
    monkeypatch.setattr(fig6, "SHOWN", {"small": ("cloud 512",)})
    assert cli.main(["reproduce", "fig6", "--seeds", "0", "--out", str(tmp_path / "out")]) == 0
    assert "| cloud 512 |" in capsys.readouterr().out
    assert_unit_variance(tmp_path / "out", jobs=1)
    for wrong, code, message in (
        (["fig99"], 1, "reproduce: expected one of table1, "),
        (["fig8"], 1, "fig8: expected --root FOLDER with <split>"),
        (["fig6", "--scale", "huge"], 2, "invalid choice: 'huge'"),
    ):
        assert cli.main(["reproduce", *wrong]) == code
        error = capsys.readouterr().err
        assert message in error and len(error.splitlines()) == 1
