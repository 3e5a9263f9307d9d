"""A run that goes on with other settings, its newest run by name, results that stay."""

import json
import shutil
from pathlib import Path

import fake_data
import pytest
import torch

from ccnn_geo.cli import main
from ccnn_geo.export.trained import checkpoint_file
from ccnn_geo.io.models.checkpoint import load_checkpoint
from ccnn_geo.training import run as run_module
from ccnn_geo.training.callbacks import read_metrics
from ccnn_geo.training.checkpoints import LastCheckpoint
from ccnn_geo.training.runs import find_resume, read_results
from ccnn_geo.training.schedule import warmup_cosine
from ccnn_geo.visualization import run_plots

CONFIG = """\
name: tones
model: {hidden_channels: 4, num_blocks: 1, kernel_hidden: 4, omega_0: 5.0, window_init: 0.2}
optim: {lr: 0.01, warmup_epochs: 0, decay: weights, weight_decay: 0.1}
data: {dataset: tones, root: ., batch_size: 16}
trainer: {max_epochs: 2, accelerator: cpu}
"""
TRAIN = ("train", "--config", "a.yaml")
BEST = Path("checkpoints/best.ckpt")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, no_pictures):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(CONFIG)
    return fake_data.register(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of two epochs, for all tests."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(run_plots, "draw_training", lambda *_: None)
        fake_data.register(patch, folder)
        Path("a.yaml").write_text(CONFIG)
        assert main((*TRAIN, "--out", "run")) == 0
    return folder / "run"


@pytest.fixture
def run(trained, folder) -> Path:
    """The same in the working folder of a test."""
    return Path(shutil.copytree(trained, folder / "run"))


def rates() -> list[float]:
    lines = Path("run/metrics.csv").read_text().splitlines()
    place = lines[0].split(",").index("lr")
    return [float(line.split(",")[place]) for line in lines[1:]]


def test_what_changes_counts_and_is_said_and_the_rest_is_refused(run, run_cli):
    before = Path("run/config.yaml").read_bytes()
    for change, message in (
        (("--seed", "3"), "seed was 0, got 3"),
        (("--optim.decay", "all"), "optim.decay was 'weights', got 'all'"),
        (("--optim.ema", "0.9"), "optim.ema was 0.0, got 0.9"),
        (("--data.seed", "1"), "data.seed was 0, got 1"),
        (("--data.validation_fraction", "0.5"), "data.validation_fraction was 0.1, got 0.5"),
        (("--trainer.fast_dev_run", "true"), "trainer.fast_dev_run: expected a new run"),
    ):
        code, _, errors = run_cli("train", "--resume", "run", *change)
        assert code == 1 and message in errors and errors.count("\n") == 1
        assert Path("run/config.yaml").read_bytes() == before

    code, output, errors = run_cli("train", "--resume", "run")
    assert (code, errors) == (0, "") and "this run is over, after 2 epochs" in output
    assert len(rates()) == 2
    code, output, errors = run_cli("train", "--resume", "run", "--optim.lr", "0.5")
    assert (code, errors) == (0, "") and "  optim.lr: 0.01 before, 0.5 now, but no step is left\n" in output
    assert len(rates()) == 2

    given = ("--optim.lr", "0.5", "--optim.weight_decay", "0.3", "--trainer.max_epochs", "4")
    code, output, errors = run_cli("train", "--resume", "run", *given, "--data.batch_size", "8")
    assert (code, errors) == (0, "")
    assert output.splitlines()[1:5] == [
        "  optim.lr: 0.01 before, 0.5 from now on",
        "  optim.weight_decay: 0.1 before, 0.3 from now on",
        "  data.batch_size: 16 before, 8 from now on",
        "  trainer.max_epochs: 2 before, 4 from now on",
    ]
    # 5 batches of 8 in an epoch: half of the way is done after two epochs, whatever steps these had
    assert rates()[2:] == pytest.approx([0.5 * warmup_cosine(15, 0, 20), 0.0])
    state = torch.load("run/checkpoints/last.ckpt", weights_only=True)["optimizer_states"][0]
    assert [group["weight_decay"] for group in state["param_groups"]] == [0.3, 0.0]
    assert [group["initial_lr"] for group in state["param_groups"]] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("steps", "cut", "ends"),
    [
        (("--trainer.max_epochs", "-1", "--trainer.max_steps", "5"), "2", "max_steps"),  # of 2 in an epoch
        (
            ("--trainer.max_steps", "5", "--trainer.max_epochs", "3"),
            "4",
            "max_epochs and trainer.max_steps",
        ),
        (("--trainer.max_epochs", "3", "--trainer.max_time", "00:01:00:00"), "4", "max_time"),
    ],
)
def test_steps_and_time_end_a_run_and_it_goes_on_with_the_next_epoch(run_cli, monkeypatch, steps, cut, ends):
    assert run_cli(*TRAIN, *steps, "--out", "whole")[0] == 0
    save = LastCheckpoint.on_train_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(
            LastCheckpoint,
            "on_train_epoch_end",
            lambda self, trainer, model: (
                save(self, trainer, model),
                1 / (trainer.global_step != int(cut)),
            ),
        )
        assert run_cli(*TRAIN, *steps, "--out", "run")[0] == 1
    assert run_cli("train", "--resume", "run")[0] == 0
    whole, run = (load_checkpoint(Path(name, "checkpoints/last.ckpt")) for name in ("whole", "run"))
    assert (run["epoch"], run["global_step"]) == (whole["epoch"], whole["global_step"])
    assert all(torch.equal(value, run["state_dict"][key]) for key, value in whole["state_dict"].items())
    if ends == "max_time":
        run["callbacks"]["Timer"]["time_elapsed"]["train"] = 3600.0
        run["epoch"] -= 1
        torch.save(run, "run/checkpoints/last.ckpt")
    _, output, _ = run_cli("train", "--resume", "run")
    assert f"only its validation is repeated; a larger trainer.{ends} continues it\n" in output


def test_steps_that_end_within_an_epoch_go_on_with_the_next(run_cli):
    assert run_cli(*TRAIN, "--out", "run", "--trainer.max_steps", "3")[0] == 0  # of 2 in an epoch
    rows = read_metrics(Path("run/metrics.csv"))
    assert [(row["step"], bool(row["val_acc"])) for row in rows] == [("2", True), ("3", True)]
    found = read_results(Path("run"))["validation"]
    best = max(rows, key=lambda row: (float(row["val_acc"]), -float(row["val_loss"]), float(row["step"])))
    assert (found["step"], found["accuracy"]) == (int(best["step"]), pytest.approx(float(best["val_acc"])))
    code, _, errors = run_cli(
        "train", "--resume", "run", "--trainer.max_steps", "9", "--trainer.max_epochs", "3"
    )
    assert (code, errors) == (0, "")
    last = load_checkpoint(Path("run/checkpoints/last.ckpt"))
    assert (last["epoch"], last["global_step"]) == (2, 5)


def test_another_share_of_warmup_counts_and_stays(run_cli):
    assert run_cli(*TRAIN, "--out", "run", "--optim.warmup_epochs", "9")[0] == 0
    given = ("--trainer.max_epochs", "4", "--optim.warmup_share", "0.5")
    _, output, _ = run_cli("train", "--resume", "run", *given)
    assert (
        "  optim.warmup_share: 0.1 before, 0.5 from now on\n" in output and "warm-up: 4 of 8 steps" in output
    )
    stored = load_checkpoint(Path("run/checkpoints/last.ckpt"))
    del stored["hyper_parameters"]["warmup_share"]  # as of before there was this bound
    torch.save(stored, "run/checkpoints/last.ckpt")
    for epochs in ("5", "6"):
        _, output, _ = run_cli("train", "--resume", "run", "--trainer.max_epochs", epochs)
        steps = 2 * int(epochs)
        assert "optim.warmup_share:" not in output and f"warm-up: {steps} of {steps} steps" in output


def test_a_checkpoint_within_an_epoch_is_not_gone_on_from(run, run_cli):
    stored = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    stored["loops"]["fit_loop"]["epoch_progress"]["current"]["ready"] += 1
    torch.save(stored, "run/checkpoints/interrupted.ckpt")
    code, _, errors = run_cli("train", "--resume", "run/checkpoints/interrupted.ckpt")
    assert code == 1 and "interrupted.ckpt: stored within an epoch" in errors and "last.ckpt" in errors


def test_a_run_that_validated_no_epoch_and_goes_on(run_cli):
    code, output, _ = run_cli(*TRAIN, "--out", "run", "--trainer.check_val_every_n_epoch", "3")
    assert (
        code == 0 and "\nvalidation (last epoch, the best checkpoint because no other was validated" in output
    )
    best, last = (load_checkpoint(Path(f"run/checkpoints/{name}.ckpt")) for name in ("best", "last"))
    assert best["epoch"] == last["epoch"] == 1
    run_plots.plot_curves(read_metrics(Path("run/metrics.csv")), Path("curves.png"))  # of training alone
    assert run_cli("test", "run")[0] == 0
    code, output, _ = run_cli("train", "--resume", "run", "--trainer.max_epochs", "4")
    assert code == 0 and "\nvalidation (best checkpoint): " in output
    assert load_checkpoint(Path("run/checkpoints/best.ckpt"))["epoch"] == 2  # the only one validated


def test_a_name_is_its_newest_run_and_failed_starts_leave_none(run_cli, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(run_module.Learner, "training_step", lambda *_: 1 / 0)
        assert run_cli(*TRAIN)[0] == 1
        assert run_cli(*TRAIN, "--out", "new")[0] == 1
        Path("mine/old").mkdir(parents=True)
        for out in ("mine/old", "mine/new"):
            assert run_cli(*TRAIN, "--out", out)[0] == 1
    assert not Path("runs").exists() or not list(Path("runs").rglob("*"))
    assert not Path("new").exists() and list(Path("mine").iterdir()) == [Path("mine/old")]
    for number in ("009", "010", "011"):
        (Path("runs/tones") / number / "checkpoints").mkdir(parents=True)
    for number in ("009", "010"):
        (Path("runs/tones") / number / BEST).touch()
    with pytest.warns(
        UserWarning, match="runs/tones: runs/tones/010 is used; 011 has no checkpoints/best.ckpt"
    ):
        assert checkpoint_file("runs/tones") == Path("runs/tones/010") / BEST
    assert checkpoint_file("runs/tones/009") == Path("runs/tones/009") / BEST
    assert checkpoint_file("runs") == Path("runs") / BEST
    (Path("runs/tones/009/checkpoints/last.ckpt")).touch()
    with pytest.warns(UserWarning, match="runs/tones/009 is used; 010, 011 have no checkpoints/last.ckpt"):
        assert find_resume("runs/tones", None, "x") == Path("runs/tones/009/checkpoints/last.ckpt")
    monkeypatch.setattr(run_plots, "save", lambda *_: None)
    (Path("runs/tones/011/metrics.csv")).write_text("epoch,val_acc\n1,0.5\n")
    code, output, _ = run_cli("show", "run", "runs/tones")
    assert (code, output) == (0, "runs/tones/011/training.png\n")


def test_results_of_other_checkpoints_and_data_stay(run, run_cli):
    tests = (
        ("run", (), "test_tones"),
        ("run/checkpoints/last.ckpt", (), "test_tones_last"),
        ("run", ("--data.dataset_args", '{"length": 16}'), "test_tones_2"),
        ("run", ("--trainer.limit_test_batches", "1", "--data.batch_size", "2"), "test_tones_3"),
        ("run", ("--trainer.limit_test_batches", "1", "--data.batch_size", "3"), "test_tones_4"),
        (
            "run",
            ("--trainer.limit_test_batches", "1.0", "--trainer.precision", "32-true"),
            "test_tones",
        ),  # all
    )
    for checkpoint, options, name in (*tests, *tests[-2:0:-1]):
        code, output, errors = run_cli("test", checkpoint, *options)
        assert (code, errors) == (0, "") and output.endswith(f"  run/confusion_{name}.png\n")
    found = read_results(Path("run"))
    assert list(found) == ["validation", *(name for *_, name in tests[:-1])]
    assert found["test_tones_2"]["settings"] == {"data.dataset_args": {"length": 16}}
    assert (
        found["test_tones_last"]["checkpoint"] == "last.ckpt" and found["test_tones_last"]["settings"] == {}
    )
    assert run_cli("test", "run", "--out", "run2")[0] == 0
    assert read_results(Path("run2"))["test_tones"]["checkpoint"] == "run/checkpoints/best.ckpt"
    for command, message in (
        (("test", "run", "--out"), "--out: expected a folder for the results, got the file a.yaml"),
        (("train", "--resume"), "a.yaml: not a checkpoint of ccnn-geo train"),
    ):
        code, _, errors = run_cli(*command, "a.yaml")
        assert code == 1 and errors.startswith(f"ccnn-geo: {message}")
    Path("run/results.json").write_text("{")
    code, _, errors = run_cli("test", "run")
    assert code == 1 and errors.startswith("ccnn-geo: run/results.json: expected JSON, got ")


def test_results_of_an_earlier_checkpoint_are_told(run, run_cli):
    assert run_cli("test", "run/checkpoints/last.ckpt")[0] == run_cli("test", "run")[0] == 0
    before = json.loads(Path("run/results.json").read_text())
    step = load_checkpoint(Path("run/checkpoints/best.ckpt"))["global_step"]
    assert before["test_tones"]["step"] == before["validation"]["step"] == step
    given = ("--trainer.max_epochs", "3", "--config", "a.yaml")
    code, output, errors = run_cli("train", "--resume", "run", *given)
    assert (code, errors) == (0, "")
    assert "  --config: not read, a resumed run keeps its own run/config.yaml\n" in output
    now = load_checkpoint(Path("run/checkpoints/best.ckpt"))["global_step"]
    told = "results.json: test_tones from an earlier best.ckpt, until tested again\n"
    assert (told in output) == (now != step)
