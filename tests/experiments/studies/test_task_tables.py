"""Tables of many tasks: a row for each whose data is there, beside the paper's; trainings give numbers at once."""

import pytest

from ccnn_geo.cli.arguments import named_dataset
from ccnn_geo.cli.train_options import PARTS, plain_values, train_parser
from ccnn_geo.datasets.text.listops import ListOps
from ccnn_geo.experiments.engine import task_study, training_job
from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import table1, table2
from ccnn_geo.training.run import check
from ccnn_geo.training.runs import find_config, with_config_paths


@pytest.fixture
def asked(monkeypatch):
    """What is trained and tested, instead of doing it: 70 % on validation parts, 68 % on test parts, 60 % at 0.5x."""
    calls = []

    def train(folder, config, seed, **changes):
        calls.append((config, changes))
        curve = [60.0 + seed, 70.0 + seed]
        return {"accuracy": curve[-1], "curve": curve, "seconds": [30.0, 60.0], "parameters": 1234}

    def test(folder, name="test", **changes):
        calls.append((name, changes))
        return {"test": 68.0}.get(name, 60.0)

    monkeypatch.setattr(task_study, "train", train)
    monkeypatch.setattr(task_study, "test", test)
    return calls


def folders(module, scale, root):
    names = [
        t.folder if scale == "paper" else t.small.folder for t in module.TASKS if scale == "paper" or t.small
    ]
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
    return root


def report(module, scale, root, out, seeds=(0,)):
    return run_study(module.STUDY, Options(scale, root, seeds), out, say=str).read_text()


@pytest.mark.parametrize("module", [table1, table2])
def test_paper_scale_tests_both_sizes_of_all_tasks(module, asked, tmp_path):
    text = report(module, "paper", folders(module, "paper", tmp_path / "data"), tmp_path / "out", (0, 2))
    trained = [config for config, changes in asked if "data__root" in changes]
    assert len(trained) == 2 * 2 * sum(not task.trained_as for task in module.TASKS)
    assert all(find_config(config).is_file() for config in trained)
    for task in module.TASKS:
        for size, paper in zip(("4,140", "6,380"), task.paper, strict=True):
            cells = next(
                row for row in text.splitlines() if row.startswith(f"| {task.name} | {size} |")
            ).split(" | ")
            assert ("60.0 ± 0.0" if task.trained_as else "68.0 ± 0.0") in cells and f"{paper:.2f}" in cells
            assert ("71.0 ± 1.4" in cells) is not bool(task.trained_as)
    assert "Not run" not in text
    assert (tmp_path / "out/accuracy.png").stat().st_size > 1000 and (tmp_path / "out/curves.png").exists()
    average = [row for row in text.splitlines() if row.startswith("| average of ListOps, Text")]
    if module is table2:  # of the published four
        (row,) = [row for row in average if "4,140" in row]
        assert row.split(" | ")[-3:-1] == ["76.86", ""]
    else:
        assert not average


@pytest.mark.parametrize("module", [table1, table2])
def test_settings_of_the_small_scale_are_valid(module, asked, tmp_path, monkeypatch):
    monkeypatch.setattr(table2, "EXPRESSIONS", {"train": 3, "validation": 2, "test": 1})
    text = report(module, "small", folders(module, "small", tmp_path / "data"), tmp_path / "out")
    trained = [(config, changes) for config, changes in asked if "data__root" in changes]
    shown = [task for task in module.TASKS if task.small]
    assert len(trained) == sum(not task.trained_as for task in shown)
    for config, changes in trained:
        arguments = with_config_paths(["--config", config, *training_job.flags(changes)])
        parser = train_parser(named_dataset(arguments))
        check(plain_values(parser.parse_args(arguments), PARTS))  # as the command does before it begins
    if module is table2:
        assert "| average of ListOps, Text, Image, Pathfinder (Text: validation) |" in text
    for task in shown:
        assert f"| {task.name} | {task.small.data} | 1,234 |" in text


def test_tasks_without_data_are_left_out_and_named(asked, tmp_path):
    (tmp_path / "data/mnist").mkdir(parents=True)
    text = report(table1, "paper", tmp_path / "data", tmp_path / "out")
    assert text.count("| sMNIST |") == text.count("| pMNIST |") == 2 and "| CIFAR10 |" not in text
    assert "does not have them: sCIFAR10, Speech-MFCC, Speech-Raw, Speech-0.5x, CIFAR10, CIFAR100" in text
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="one or more of mnist/, cifar10/, speech_commands/"):
        report(table1, "paper", tmp_path / "empty", tmp_path / "other")


def test_expressions_are_written_once(tmp_path, monkeypatch):
    monkeypatch.setattr(table2, "EXPRESSIONS", {"train": 30, "validation": 20, "test": 10})
    table2.write_expressions(tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tsv")}
    table2.write_expressions(tmp_path)
    assert len(files) == 3 and all(path.stat().st_mtime_ns == date for path, date in files.items())
    args = next(t for t in table2.TASKS if t.name == "ListOps").small.options["data__dataset_args"]
    x, y = ListOps(tmp_path, "test", **args)[3]
    assert x.shape == (18, 128) and 0 <= y < 10
