"""``ccnn-geo train`` and ``test`` on a tiny project: what they print, write, repeat, leave out and leave behind."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from ccnn_geo.training.module import Classifier
from tests.fixtures.command_line import CONFIG
from tests.fixtures.commands import command, environment
from tests.fixtures.shapes_on_disk import write_clouds

TRAIN = ("train", "--config", "tiny.yaml")
TWO_EPOCHS = (*TRAIN, "--trainer.max_epochs", "2", "--seed", "5")
RUN = Path("runs/tiny/001")
NO_PICTURES = "  no pictures drawn: needs matplotlib: pip install 'ccnn_geo[viz]'"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with a run of two epochs, made in a process of its own, and what that said."""
    folder = tmp_path_factory.mktemp("trained")
    write_clouds(folder / "shapes", {"train": 12, "test": 4})
    (folder / "tiny.yaml").write_text(CONFIG)
    options = {"env": environment(), "capture_output": True, "text": True, "timeout": 120}
    return folder, subprocess.run(command(*TWO_EPOCHS), cwd=folder, **options)


@pytest.fixture
def copied(trained, tmp_path, monkeypatch) -> Path:
    """The same project, to be changed."""
    shutil.copytree(trained[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hide_matplotlib(patch):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        patch.setitem(sys.modules, name, None)


def test_a_training_says_what_it_does_and_writes(trained):
    folder, done = trained
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"run: {RUN}"
    assert lines[1] == "data: 22 training samples, 2 classes of 11 each; 2 validation samples"
    assert lines[2].startswith("no warm-up in 4 steps (2 epochs); ") and lines[2].endswith(
        "learning rate 0.02"
    )
    assert lines[3].startswith("each epoch leaves out 6 of 22 training samples")
    assert lines[4].startswith("an epoch takes about ") and ", 2 of them about " in lines[4]
    assert lines[5].startswith("epoch 1/2  loss ") and "validation" in lines[5]
    assert lines[7].startswith("validation (best checkpoint): accuracy ")
    for name in ("config.yaml", "metrics.csv", "curves.png", "confusion.png", "results.json"):
        assert (folder / RUN / name).stat().st_size > 0
    assert (folder / RUN / "curves.png").read_bytes().startswith(b"\x89PNG")
    listed = [line.strip() for line in lines if line.startswith("  ")]
    assert f"{RUN}/checkpoints/best.ckpt" in listed and f"{RUN}/results.json" in listed
    assert all((folder / path).exists() for path in listed)


def test_runs_are_tested_on_points_and_on_voxels(copied, run_cli):
    for carrier in ("points", "voxels"):
        checkpoint = RUN / "checkpoints" / "best.ckpt" if carrier == "points" else RUN
        code, output, errors = run_cli(
            "test", str(checkpoint), "--data.carrier", carrier, "--data.voxel_size", "9"
        )
        assert (code, errors) == (0, "")
        assert output.startswith(f"test ({carrier}): accuracy ") and len(output.splitlines()) == 1
        assert (copied / RUN / f"confusion_test_{carrier}.png").exists()
    results = json.loads((copied / RUN / "results.json").read_text())
    assert set(results) == {"validation", "test_points", "test_voxels"}
    assert 0 <= results["test_points"]["mean_class_accuracy"] <= 1
    code, _, errors = run_cli("test", str(RUN), "--trainer.limit_test_batches", "0")
    assert code == 1 and "trainer.limit_test_batches: expected more than 0" in errors


def test_another_start_repeats_the_run_bit_by_bit_and_never_reads_the_test_set(copied, run_cli):
    """After one that failed, which blocks nothing."""
    for path in (copied / "shapes" / "test").rglob("*.npy"):
        path.write_bytes(b"unreadable")
    arguments = (*TWO_EPOCHS, "--out", "out")
    assert run_cli(*arguments, "--data.root", "nowhere")[0] == 1
    assert not (copied / "out").exists()
    (copied / "out" / "checkpoints").mkdir(parents=True)  # as of one that was killed
    (copied / "out" / "config.yaml").touch()
    torch.rand(11)
    assert run_cli(*arguments)[0] == 0
    assert (copied / "out" / "config.yaml").stat().st_size > 0
    a, b = (torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in (RUN, Path("out")))
    for name, value in a["state_dict"].items():
        assert torch.equal(value, b["state_dict"][name]), name

    code, _, errors = run_cli(*arguments)
    assert code == 1 and "--out out: not an empty folder" in errors
    code, _, errors = run_cli("test", "out/checkpoints/best.ckpt")
    assert code == 1 and "8 of 8 files could not be read" in errors and errors.count("\n") == 1


def test_a_training_without_matplotlib_and_without_a_test_set(project, run_cli):
    """Draws nothing and says so; that there is nothing to test on is said with what is expected and what there is."""
    shutil.rmtree(project / "shapes" / "test")
    with pytest.MonkeyPatch.context() as patch:
        hide_matplotlib(patch)
        code, output, errors = run_cli(*TRAIN, "--trainer.max_epochs", "1", "--out", "out")
    assert (code, errors) == (0, "") and output.splitlines().count(NO_PICTURES) == 1
    assert {"best.ckpt", "last.ckpt"} <= {path.name for path in (project / "out" / "checkpoints").iterdir()}
    assert not list((project / "out").glob("*.png"))
    assert run_cli("test", "out") == (
        1,
        "",
        "ccnn-geo: shapes: no split 'test', found train; expected the folder shapes/test; set --data.root to "
        "the folder of the data, got 'shapes'; the accuracy on the validation set is in out/results.json\n",
    )


def test_testing_without_matplotlib_draws_nothing_and_says_so(copied, run_cli, monkeypatch):
    hide_matplotlib(monkeypatch)
    code, output, errors = run_cli("test", str(RUN))
    first, scores = output.splitlines()
    assert (code, errors, first) == (0, "", NO_PICTURES)
    assert scores.startswith("test (points): accuracy ") and scores.endswith("%")
    assert "test_points" in json.loads((copied / RUN / "results.json").read_text())
    assert not list((copied / RUN).glob("confusion_test*.png"))


def test_tensorboard_that_is_missing_is_named(project, run_cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    code, output, errors = run_cli(*TRAIN, "--tensorboard")
    expected = "ccnn-geo: --tensorboard: needs tensorboard: pip install 'ccnn_geo[viz]'\n"
    assert (code, output, errors) == (1, "", expected)


def test_tensorboard(copied, run_cli):
    pytest.importorskip("tensorboard", reason="needs the viz extra")
    assert run_cli("train", "--resume", str(RUN), "--trainer.max_epochs", "3", "--tensorboard")[0] == 0
    assert list((copied / RUN / "tensorboard").glob("events*"))


@pytest.mark.parametrize("out", [(), ("--out", "out")])
def test_a_trial_leaves_no_run(project, run_cli, out):
    code, output, errors = run_cli(*TRAIN, *out, "--trainer.fast_dev_run", "true")
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert lines[0] == "run: none, fast_dev_run writes no folder"
    assert lines[-1].startswith("validation (fast_dev_run, no checkpoint): accuracy ")
    assert not (project / "runs").exists() and not (project / "out").exists()


def test_runs_without_a_name_are_called_after_the_configuration(project, run_cli):
    unnamed = (project / "tiny.yaml").read_text().replace("name: tiny\n", "")
    (project / "own.yaml").write_text(unnamed)
    code, output, _ = run_cli("train", "--config", "own.yaml", "--trainer.max_epochs", "1")
    assert code == 0 and output.startswith("run: runs/own/001\n")
    assert yaml.safe_load((project / "runs/own/001/config.yaml").read_text())["name"] == "own"
    code, output, _ = run_cli("train", "--resume", "--trainer.max_epochs", "2")  # the only name
    assert code == 0 and output.startswith("run: runs/own/001\n") and "epoch 2/2" in output


def test_sigterm_ends_with_one_line(project, run_cli, monkeypatch):
    def terminated(self, *_):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Classifier, "on_train_batch_end", terminated)
    assert run_cli(*TRAIN, "--trainer.max_epochs", "1", "--out", "out") == (
        143,
        "run: out\ndata: 22 training samples, 2 classes of 11 each; 2 validation samples\n"
        "no warm-up in 2 steps (1 epoch); limited by optim.warmup_share, optim.warmup_epochs is 1; "
        "learning rate 0.02\n"
        "each epoch leaves out 6 of 22 training samples, different ones each time; they do not fill a "
        "batch of 8 (data.batch_size)\n  out removed, no epoch was complete\n",
        "ccnn-geo: terminated by SIGTERM; no epoch was complete, start again\n",
    )
    lightning = logging.getLogger("pytorch_lightning.trainer.connectors.signal_connector")
    assert not lightning.isEnabledFor(logging.INFO)  # its "[rank: 0] Received SIGTERM: 15"


@pytest.fixture
def interrupt(monkeypatch):
    """Ctrl-C at the next call of a method of the classifier."""
    handler = signal.getsignal(signal.SIGINT)

    def stop(self, *_):
        raise KeyboardInterrupt

    yield lambda method: monkeypatch.setattr(Classifier, method, stop)
    signal.signal(signal.SIGINT, handler)  # Lightning ignores it from then on


def test_interrupted_evaluations(copied, run_cli, interrupt):
    interrupt("test_step")
    assert run_cli("test", str(RUN)) == (130, "", "ccnn-geo: interrupted\n")
    interrupt("validation_step")
    code, _, errors = run_cli("train", "--resume", str(RUN))  # nothing is left but to validate the best one
    assert code == 130 and errors.endswith(f"continue with: ccnn-geo train --resume {RUN}\n")
