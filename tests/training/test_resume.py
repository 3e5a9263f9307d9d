import csv
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ccnn_geo.training.module import Classifier

pytestmark = pytest.mark.usefixtures("no_pictures")
EPOCHS = "2"


def losses(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def interrupt(run_cli: Callable[..., tuple[int, str, str]], arguments: list[str]) -> tuple[int, str]:
    """Trains and presses Ctrl-C within the second epoch."""
    step, handler = Classifier.training_step, signal.signal(signal.SIGINT, signal.default_int_handler)

    def training_step(self, *args):
        if self.current_epoch == 1:
            signal.raise_signal(signal.SIGINT)
        return step(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "training_step", training_step)
        code, _, errors = run_cli(*arguments)
    signal.signal(signal.SIGINT, handler)  # Lightning ignores it from then on
    return code, errors


def test_interrupted_and_resumed_equals_unbroken(project, run_cli):
    """With an average of the weights; without, and in a process of its own, it is among the kills."""
    whole = ["train", "--config", "tiny.yaml", "--trainer.max_epochs", EPOCHS, "--optim.ema", "0.9"]
    code, errors = interrupt(run_cli, [*whole, "--out", "part"])
    assert code == 130, errors
    assert errors.strip().splitlines()[-1].endswith("continue with: ccnn-geo train --resume part")
    assert "Traceback" not in errors and "Warning" not in errors
    done = torch.load(project / "part" / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] + 1
    assert done == 1

    code, output, errors = run_cli("train", "--resume", "part")
    assert (code, errors) == (0, "")
    assert f"epoch {done}/" not in output  # continued, not repeated
    assert f"epoch {done + 1}/" in output
    code, _, errors = run_cli(*whole, "--out", "whole")
    assert (code, errors) == (0, "")
    assert losses(project / "part") == losses(project / "whole")
    assert len(losses(project / "whole")) == int(EPOCHS)
    expected = weights(project / "whole")
    for name, value in weights(project / "part").items():
        assert torch.equal(value, expected[name]), name


def test_another_network_is_refused_before_anything_is_written(project, run_cli):
    assert run_cli("train", "--config", "tiny.yaml", "--trainer.max_epochs", "1", "--out", "a")[0] == 0
    before = (project / "a" / "config.yaml").read_bytes()
    for change, message in (
        (("--model.preset", "ccnn_4_16"), "model.preset was None, got 'ccnn_4_16'"),
        (("--data.features", "[pos]"), "data.features was ['normal', 'pos'], got ['pos']"),
        (("--data.root", "nowhere"), "nowhere: no such folder"),
        (("--out", "b"), "--out b: expected a, which --resume continues"),
    ):
        code, _, errors = run_cli("train", "--resume", "a", *change)
        assert code == 1 and message in errors and errors.count("\n") == 1
        assert (project / "a" / "config.yaml").read_bytes() == before
    assert not (project / "b").exists()

    (project / "shapes" / "train" / "disc").rename(project / "shapes" / "train" / "cone")
    (project / "shapes" / "test" / "disc").rename(project / "shapes" / "test" / "cone")
    code, _, errors = run_cli("train", "--resume", "a", "--trainer.max_epochs", "2")
    assert (
        code == 1 and "the checkpoint has the classes ball, disc, the training set has ball, cone" in errors
    )
    assert (project / "a" / "config.yaml").read_bytes() == before


def test_processes_started_together_share_a_folder(tmp_path, monkeypatch):
    from ccnn_geo.training.runs import RUN, claim_run

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RUN, raising=False)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for is_first in (True, False):
        with pytest.raises(ValueError, match="--out: expected the folder"):
            claim_run(None, "x", is_first)
    assert claim_run("out", "x", True) == Path("out")
    (tmp_path / "out" / "metrics.csv").write_text("epoch\n1\n2\n")  # of the first process, which was faster
    monkeypatch.delenv(RUN)
    assert claim_run("out", "x", False) == Path("out")
    with pytest.raises(ValueError, match="not an empty folder"):
        claim_run("out", "x", True)


def test_nothing_to_resume(project, run_cli):
    code, _, errors = run_cli("train", "--config", "tiny.yaml", "--resume")
    assert code == 1
    assert errors == ("ccnn-geo: --resume: no runs/tiny/*/checkpoints/last.ckpt; name a run or checkpoint\n")


def test_resume_finds_the_newest_run(project):
    from ccnn_geo.training.runs import find_resume

    for number in ("002", "010", "notes"):
        folder = project / "runs" / "tiny" / number / "checkpoints"
        folder.mkdir(parents=True)
        (folder / "last.ckpt").touch()
    assert find_resume(None, None, "tiny").parts[-3] == "010"
    assert find_resume("runs/tiny/002", None, "tiny").parts[-3] == "002"
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        find_resume("runs/other", None, "tiny")


def test_checkpoints_are_complete_or_absent(tmp_path):
    from ccnn_geo.training.checkpoints import AtomicCheckpointIO

    path = tmp_path / "a.ckpt"
    AtomicCheckpointIO().save_checkpoint({"x": torch.ones(2)}, path)
    with pytest.raises(AttributeError):  # fails half-way, as a full disk would
        AtomicCheckpointIO().save_checkpoint({"x": torch.zeros(2), "y": lambda: 0}, path)
    assert torch.equal(torch.load(path, weights_only=True)["x"], torch.ones(2))
    assert list(tmp_path.iterdir()) == [path]
