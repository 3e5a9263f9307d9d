"""What a training prints: on a terminal lines that stay above the bar, in a log lines within long epochs too."""

import re

import pytest

from ccnn_geo.training import batch_lines

pytestmark = pytest.mark.usefixtures("no_pictures")
TRAIN = ("train", "--config", "tiny.yaml", "--trainer.max_epochs", "2")


def test_epochs_stay_on_a_terminal(project, run_cli, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    code, output, _ = run_cli(*TRAIN)
    assert code == 0
    lines = [line.split("\r")[-1] for line in output.split("\n")]
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert [line.split("  ")[0] for line in epochs] == ["epoch 1/2", "epoch 2/2"]


@pytest.mark.parametrize("every", [0.0, 60.0])
def test_long_epochs_are_told_within_in_a_log(project, run_cli, monkeypatch, every):
    monkeypatch.setattr(batch_lines.BatchLines.__init__, "__defaults__", (every,))
    code, output, errors = run_cli(*TRAIN)
    assert (code, errors) == (0, "")
    within = re.findall(r"^epoch (\d)  batch (\d) of (\d)  loss \d\.\d{3}  \d+ s$", output, re.MULTILINE)
    batches = [(str(e), str(b), "2") for e in (1, 2) for b in (1, 2)]
    assert within == ([] if every else batches)
