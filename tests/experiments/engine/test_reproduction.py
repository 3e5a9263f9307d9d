"""Studies: what is done is not done again, what was interrupted goes on, and results tell where they come from."""

import json
from threading import Barrier

import pytest
import torch

from ccnn_geo.experiments.engine import reproduction
from ccnn_geo.experiments.engine.provenance import fingerprints
from ccnn_geo.experiments.engine.reproduction import Job, Options, Study, mean_and_deviation, run_study


class Trial:
    """A study of one job per seed that counts its runs, and may be interrupted at one."""

    def __init__(self, interrupted_at=None):
        self.runs, self.interrupted_at = [], interrupted_at

    def jobs(self, options):
        return [Job(f"seed{s}", lambda folder, s=s: self.run(s, folder)) for s in options.seeds]

    def run(self, seed, folder):
        self.runs.append(seed)
        (folder / "checkpoint").write_text(str(seed))
        if seed == self.interrupted_at:
            raise KeyboardInterrupt
        return {"accuracy": 50.0 + seed, "curve": [1.0, 2.0]}

    def study(self, **kwargs):
        return Study("trial", "A trial.", "Table 0.", self.jobs, self.report, **kwargs)

    @staticmethod
    def report(numbers, options, folder):
        (folder / "picture.png").write_bytes(b"png")
        values = [n["accuracy"] for n in numbers.values()]
        return f"| ours | paper |\n|---|---|\n| {mean_and_deviation(values)} | 51 |"


def options(*seeds, scale="small", root=None):
    return Options(scale, root, seeds or (0, 1))


def test_a_study_writes_numbers_a_report_and_where_they_come_from(tmp_path):
    trial, lines = Trial(), []
    report = run_study(trial.study(), options(), tmp_path / "out", say=lines.append)
    text = report.read_text()
    assert text.startswith("# trial: A trial.\n\nTable 0.\n") and "| 50.5 ± 0.7 | 51 |" in text
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert results["jobs"]["seed1"]["accuracy"] == 51.0 and results["seeds"] == [0, 1]
    assert results["versions"].keys() == {"torch", "python"} and results["data"] == {}
    assert [line.split(":")[0] for line in lines] == ["seed0", "seed1"]
    assert "accuracy 50" in lines[0] and "curve" not in lines[0]


def test_what_is_done_is_not_done_again_unless_asked(tmp_path):
    trial, lines = Trial(), []
    run_study(trial.study(), options(), tmp_path, say=lines.append)
    run_study(trial.study(), options(0, 1, 2), tmp_path, say=lines.append)
    assert trial.runs == [0, 1, 2] and lines[2:4] == ["seed0: done before", "seed1: done before"]
    (tmp_path / "jobs/seed1/left").write_text("a finished training would be found here")
    run_study(trial.study(), options(1), tmp_path, again=True, say=lines.append)
    assert trial.runs == [0, 1, 2, 1] and not (tmp_path / "jobs/seed1/left").exists()


def test_workers_share_the_cores(tmp_path):
    """Two jobs that wait for each other, each with its share of the threads, which are given back."""
    meet, threads, before = Barrier(2, timeout=30), [], torch.get_num_threads()

    def run(folder):
        meet.wait()
        threads.append(torch.get_num_threads())
        return {"accuracy": 1.0}

    study = Study("pair", "Two.", "", lambda o: [Job("a", run), Job("b", run)], lambda *_: "")
    run_study(study, options(), tmp_path, say=str, workers=2)
    assert threads == [max(1, before // 2)] * 2 and torch.get_num_threads() == before
    with pytest.raises(ValueError, match="pair: expected 1 worker or more, got 0"):
        run_study(study, options(), tmp_path, say=str, workers=0)


def test_an_interrupted_study_goes_on(tmp_path):
    trial = Trial(interrupted_at=1)
    with pytest.raises(KeyboardInterrupt):
        run_study(trial.study(), options(0, 1, 2), tmp_path, say=str)
    assert not (tmp_path / "report.md").exists()
    trial.interrupted_at = None
    assert (tmp_path / "jobs/seed1/checkpoint").read_text() == "1"  # its folder is still there
    run_study(trial.study(), options(0, 1, 2), tmp_path, say=str)
    assert trial.runs == [0, 1, 1, 2]


def test_settings_do_not_mix(tmp_path):
    run_study(Trial().study(), options(), tmp_path / "out", say=str)
    with pytest.raises(ValueError, match=r"holds results of .*'small'.*expected .*'paper'.*--out"):
        run_study(Trial().study(), options(scale="paper"), tmp_path / "out", say=str)
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("1")
    with pytest.raises(ValueError, match="choose another --out"):
        run_study(Trial().study(), options(root=data), tmp_path / "out", say=str)  # which had no data


def test_missing_data_is_told(tmp_path):
    study = Trial().study(data="mnist.npz")
    with pytest.raises(FileNotFoundError, match=r"trial: expected --root FOLDER with mnist\.npz"):
        run_study(study, options(), tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        run_study(study, options(root=tmp_path / "nowhere"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_fingerprints_tell_data_apart(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a").write_bytes(b"1" * 10)
    first = fingerprints(tmp_path)
    (tmp_path / "processed").mkdir()
    (tmp_path / "processed/a").write_text("ours")
    (tmp_path / "x/processed").mkdir()
    (tmp_path / "x/processed/a").write_text("ours")
    assert fingerprints(tmp_path) == first and first.keys() == {"x"}
    (tmp_path / "x/a").write_bytes(b"1" * 9 + b"2")
    second = fingerprints(tmp_path)
    (tmp_path / "x/a").rename(tmp_path / "x/b")
    third = fingerprints(tmp_path)
    assert len({first["x"], second["x"], third["x"], fingerprints(tmp_path / "x/b")["b"]}) == 4
    (tmp_path / "link").mkdir()
    (tmp_path / "link/x").symlink_to(tmp_path / "x")
    assert fingerprints(tmp_path / "link") == third


def test_data_may_be_added_but_not_change(tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    for name in ("mnist", "cifar10"):
        (data / name).mkdir(parents=True)
        (data / name / "file").write_text(name)
        run_study(Trial().study(), options(root=data), out, say=str)
    assert json.loads((out / "settings.json").read_text())["data"].keys() == {"mnist", "cifar10"}
    (data / "mnist/file").write_text("another")
    with pytest.raises(ValueError, match="choose another --out"):
        run_study(Trial().study(), options(root=data), out, say=str)


def test_the_command_says_where_the_report_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    reproduction.main(Trial().study(seeds=2), [])
    assert capsys.readouterr().out.rstrip().endswith("results/trial-small/report.md")
    assert mean_and_deviation([2.0]) == "2.0"


def test_a_job_that_needs_data_says_so(tmp_path):
    assert Options("small", tmp_path, (0,)).data_root == tmp_path
    with pytest.raises(FileNotFoundError, match="--root FOLDER"):
        _ = Options("small", None, (0,)).data_root
