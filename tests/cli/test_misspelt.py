"""Whoever misspells a command, an option, a choice or a key is told the nearest one."""

import re

import pytest

from ccnn_geo.cli import main
from ccnn_geo.cli.misspelt import explain


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], "unknown command 'trian', .*; did you mean train"),
        (["data", "lst"], "invalid choice: 'lst' .*; did you mean list"),
        (["data", "info", "fodler"], "got 'fodler'; did you mean folder"),
        (["data", "prepare", "mnist", "--ofline"], "data: --ofline: no such option; did you mean --offline"),
        (["data", "check", ".", "--kind", "shape"], "invalid choice: 'shape' .*; did you mean shapes"),
        (["predict", "--jsn", "a", "b"], "predict: --jsn: no such option; did you mean --json"),
        (
            ["train", "--config", "shape/ccnn_4_32"],
            "--config shape/ccnn_4_32: no such file; did you mean shapes/ccnn",
        ),
        (
            ["train", "--config", "demo", "--optim.lrr", "1"],
            "train: --optim.lrr: no such option; did you mean --optim",
        ),
        (
            ["train", "--config", "demo", "--optim.lrr=1"],
            "train: --optim.lrr: no such option; did you mean --optim.lr",
        ),
        (
            ["train", "--config", "demo", "--data.augment.skale", "3"],
            "data.augment.skale: no such .*augment.scale",
        ),
        (
            ["train", "--config", "demo", "--model.preset", "ccnn_4_33"],
            "got 'ccnn_4_33'; did you mean ccnn_4_",
        ),
        (["train", "--config", "a.yaml"], "train: optim.lrr: no such option; did you mean optim.lr"),
        (["train", "--config", "b.yaml"], "train: optm.lr: no such option; did you mean optim.lr"),
        (
            ["train", "--config", "demo", "--data.dataset", "lidar", "--data.dataset_args", "{clases: [1]}"],
            "data.dataset_args: expected some of .*, got clases; did you mean classes",
        ),
        (["reproduce", "tabel1"], "got 'tabel1'; did you mean table1"),
    ],
)
def test_the_nearest_is_told(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("optim:\n  lrr: 0.1\n")
    (tmp_path / "b.yaml").write_text("optm:\n  lr: 0.1\n")
    assert main(arguments) in (1, 2)
    output, errors = capsys.readouterr()
    assert output == "" and errors.count("\n") == 1
    assert re.search(words, errors)


def test_what_is_near_nothing(capsys):
    assert explain("unrecognized arguments: --zzzz 3", ["--seed"]) == "--zzzz: no such option"
    assert explain("unrecognized arguments: extra", ["--extra"]) == "unrecognized arguments: extra"
    assert explain("expected one argument", ["--seed"]) == "expected one argument"
    assert main(["train", "--config", "nothing_like_it"]) == 1
    assert "no such file, and not one of" in capsys.readouterr().err
