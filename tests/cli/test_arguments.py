import shutil
from pathlib import Path

import pytest

from ccnn_geo.cli.arguments import first_positional, named_dataset, named_run, options, resume_point


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("name: first\ndata: {dataset: smnist}\n")
    (tmp_path / "b.yaml").write_text("data: {root: x}\n")
    (tmp_path / "data.yaml").write_text("dataset: cifar10\n")
    (tmp_path / "broken.yaml").write_text("data: [")
    (tmp_path / "list.yaml").write_text("- 1\n")
    return tmp_path


def test_options_and_their_values():
    line = ["run", "--a", "1", "--b=2=3", "--flag", "--c", "-4", "x", "--last"]
    expected = [(None, "run"), ("--a", "1"), ("--b", "2=3"), ("--flag", None), ("--c", "-4"), (None, "x")]
    assert list(options(line)) == [*expected, ("--last", None)]
    assert first_positional(["--out", "folder", "run", "more"]) == "run"
    assert first_positional(["--out", "folder"]) is None


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("", "parametric"),
        ("--config a.yaml", "smnist"),
        ("--config=a.yaml", "smnist"),
        ("--config a.yaml --config b.yaml", "smnist"),
        ("--config a.yaml --data.dataset stl10", "stl10"),
        ("--data.dataset=stl10 --config a.yaml", "smnist"),  # the last one counts, as for the parser
        ("--config a.yaml --data data.yaml", "cifar10"),
        ("--config broken.yaml", "parametric"),  # of which the parser will complain
        ("--config list.yaml", "parametric"),
        ("--config missing.yaml", "parametric"),
    ],
)
def test_the_data_set_that_is_named_last(line, name):
    assert named_dataset(line.split()) == name


def test_where_a_run_is_resumed(folder):
    for run in ("runs/run/001", "runs/first/002", "out"):
        (folder / run / "checkpoints").mkdir(parents=True)
        (folder / run / "checkpoints" / "last.ckpt").touch()
    for line, run in (
        ("--config run.yaml --resume", "runs/run/001"),  # by its file
        ("--data.dataset run --resume", "runs/run/001"),
        ("--config a.yaml --resume", "runs/first/002"),
        ("--resume --name first", "runs/first/002"),
        ("--config a.yaml --name run --resume", "runs/run/001"),
        ("--resume out --data.limit 3", "out"),
        ("--resume --out out", "out"),
    ):
        assert resume_point(line.split()).parent.parent.as_posix() == run, line
    assert resume_point(["--config", "a.yaml"]) is None
    with pytest.raises(FileNotFoundError, match="no runs/other"):
        resume_point(["--resume", "--name", "other"])
    with pytest.raises(
        ValueError, match="expected one of runs/first, runs/run, or a run or checkpoint in them"
    ):
        resume_point(["--resume"])
    shutil.rmtree(folder / "runs" / "first")
    assert resume_point(["--resume"]) == Path("runs/run/001/checkpoints/last.ckpt")
    shutil.rmtree(folder / "runs")
    with pytest.raises(FileNotFoundError, match=r"no runs/\*/\*/checkpoints/last.ckpt; name a run"):
        resume_point(["--resume"])


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("", None),
        ("--model.preset ccnn_4_16", None),
        ("--data.dataset image_folder --data.root photos", "image_folder"),
        ("--config b.yaml", "b"),
        ("--config a.yaml", "first"),
        ("--config a.yaml --config b.yaml", "first"),
        ("--config b.yaml --data.dataset image_folder", "b"),
        ("--config a.yaml --name mine", "mine"),
        ("--name= --config=b.yaml", "b"),
        ("--data data.yaml", "cifar10"),
        ("--config list.yaml", "list"),
    ],
)
def test_what_runs_are_called(line, name):
    assert named_run(line.split()) == name
