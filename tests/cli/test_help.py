"""Every page of ``--help`` on a terminal of 80 columns."""

import re

import pytest

from ccnn_geo.cli import main
from ccnn_geo.cli.option_help import TRAINER
from ccnn_geo.datasets.registry import PLACES
from ccnn_geo.experiments.engine.studies import EFFICIENCY, NAMES
from ccnn_geo.training.flags import TRAINING
from ccnn_geo.training.runs import packaged_configs

COMMANDS = (
    *("", "train", "test", "predict", "export", "info", "data", "data list", "data info", "data prepare"),
    *("show", "show kernels", "show cloud", "show run", "reproduce"),
    *(f"reproduce {name}" for name in (*NAMES, *EFFICIENCY)),
)
MARKUP = re.compile(r"``|:[a-z]+:`|\\[a-z]")


@pytest.fixture
def page(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")

    def read(*arguments: str) -> str:
        try:
            assert main(arguments) == 0
        except SystemExit as end:  # argparse
            assert end.code in (0, None)
        shown = capsys.readouterr()
        assert shown.err == ""
        return shown.out

    return read


@pytest.mark.parametrize("command", COMMANDS)
def test_fits_the_terminal_and_is_plain_text(page, command):
    lines = page(*command.split(), "--help").splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert [line for line in lines if MARKUP.search(line)] == []
    if command not in ("", "reproduce"):
        assert lines[0].startswith(f"usage: ccnn-geo {command} ")
        before_options = lines[lines.index("") :]
        assert before_options[1][0].isupper()  # says what it is for


def test_exit_codes_are_told(page):
    assert page("--help").endswith(
        "exit codes: 0 success; 1 error, reported in one line; 2 wrong usage; 130 Ctrl-C;\n143 SIGTERM.\n"
    )


def test_train_names_what_it_takes(page):
    text = page("train", "--help")
    assert all(f"--trainer.{name} " in text for name in TRAINER)
    assert "--trainer.overfit_batches" not in text
    assert all(name in " ".join(text.split()) for name in packaged_configs())
    assert "Highest learning rate. (type: float, default: 0.02)" in " ".join(text.split())


@pytest.mark.parametrize("command", [("train",), ("test",)])
def test_all_of_the_trainer_is_there_when_asked_for(page, command):
    text = page(*command, "--help-all")
    names = {*TRAINER, "overfit_batches", "val_check_interval", "limit_test_batches"}
    left_out = set(TRAINING) if command == ("test",) else set()
    assert all((f"--trainer.{name} " in text) == (name not in left_out) for name in names)
    assert "known subclasses" not in text


@pytest.mark.parametrize(("dataset", "option"), [("cifar10", "augment"), ("csv_series", "batch_size")])
def test_options_of_the_data_are_those_of_the_data_set(page, dataset, option):
    assert dataset in PLACES
    text = page("train", "--data.dataset", dataset, "--help")
    assert f"The options of --data are those of {dataset};" in text
    assert f"--data.{option} " in text and "--data.voxel_size" not in text
