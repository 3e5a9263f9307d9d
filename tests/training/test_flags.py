"""Flags of Lightning's Trainer: each either works, with a run that test and predict take, or is refused by name."""

from inspect import signature
from pathlib import Path

import fake_data
import pytest
import torch
from pytorch_lightning import Trainer

from ccnn_geo.cli.quiet import quiet
from ccnn_geo.cli.train_options import train_parser
from ccnn_geo.export.trained import read_network
from ccnn_geo.training import run
from ccnn_geo.training.callbacks import read_metrics
from ccnn_geo.training.flags import TRAINING, check_flags
from ccnn_geo.training.resume import check_resume
from ccnn_geo.training.runs import read_results
from ccnn_geo.training.trainer import RESERVED

CONFIG = {
    "seed": 0,
    "model": {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 5.0, "window_init": 0.2},
    "optim": {"lr": 0.01, "warmup_epochs": 0},
    "data": {"dataset": "tones", "root": ".", "batch_size": 16},
}

TOGETHER = {
    "strategy": "single_device",
    "devices": 1,
    "num_nodes": 1,
    "precision": "32-true",
    "min_epochs": 1,
    "min_steps": 1,
    "max_time": {"minutes": 1},
    "log_every_n_steps": 0,
    "enable_checkpointing": True,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "gradient_clip_val": 0.5,
    "barebones": False,
    "gradient_clip_algorithm": "value",
    "deterministic": True,
    "benchmark": False,
    "inference_mode": False,
    "detect_anomaly": True,
    "sync_batchnorm": True,
    "reload_dataloaders_every_n_epochs": 1,
    "enable_autolog_hparams": False,
    "accumulate_grad_batches": 9,
    "limit_test_batches": 1,
    "profiler": "simple",
}
"""Flags that leave a training what it is."""

WORKS = [
    {"precision": "64-true", "limit_val_batches": 1},
    {"precision": "bf16-mixed", "val_check_interval": 1},
    {"fast_dev_run": 1},
    {"val_check_interval": "00:00:00:00"},
    {"check_val_every_n_epoch": 3},  # of 2 epochs
]

ELSEWHERE = {
    "max_epochs",
    "max_steps",
    "overfit_batches",
    "limit_train_batches",
    "limit_predict_batches",
    "model_registry",
}
"""With tests of their own below, or refused whatever their value."""

REFUSED = [
    ("accelerator", "gpu"),
    ("accelerator", "abacus"),
    ("strategy", "fsdp"),
    ("strategy", "deepspeed"),
    ("strategy", "abacus"),
    ("strategy", "ddp_spawn"),  # whose results stay in other processes
    ("strategy", "ddp_fork_find_unused_parameters_true"),
    ("devices", 0),
    ("devices", -1),
    ("num_nodes", 0),
    ("num_nodes", 2),
    ("precision", "16-true"),
    ("precision", "bf16-true"),
    ("precision", "transformer-engine"),
    ("precision", "transformer-engine-float16"),
    ("fast_dev_run", -1),
    ("max_epochs", 0),
    ("max_epochs", -1),
    ("max_epochs", -2),
    ("min_epochs", 3),
    ("max_steps", 0),
    ("max_steps", -2),
    ("max_time", "00:00:00:00"),
    ("max_time", "soon"),
    ("max_time", {"hours": "many"}),
    ("limit_train_batches", 0),
    ("limit_train_batches", 0.0),
    ("limit_train_batches", -1),
    ("limit_val_batches", 0),
    ("limit_test_batches", 0),
    ("limit_predict_batches", 1),
    ("overfit_batches", -1),
    ("val_check_interval", 0),
    ("check_val_every_n_epoch", 0),
    ("log_every_n_steps", -1),
    ("enable_checkpointing", False),
    ("accumulate_grad_batches", 0),
    ("gradient_clip_val", -1),
    ("gradient_clip_algorithm", "abacus"),
    ("profiler", "xla"),
    ("profiler", "abacus"),
    ("barebones", True),
    ("reload_dataloaders_every_n_epochs", -1),
    ("model_registry", "name"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    quiet()
    monkeypatch.chdir(tmp_path)
    for name in ("NODE_RANK", "GROUP_RANK"):
        monkeypatch.delenv(name, raising=False)
    yield fake_data.register(monkeypatch, tmp_path)
    torch.use_deterministic_algorithms(False)  # which Lightning leaves as a flag has set it


def flags(**given) -> dict:
    return {"max_epochs": 2, "accelerator": "cpu", **given}


def trained(**given) -> run.Scores:
    config = {**CONFIG, "trainer": flags(**given)}
    run.check(config)
    return run.train(config, Path("run"), progress=False)


def rows() -> list[dict[str, str]]:
    return read_metrics(Path("run/metrics.csv"))


def test_all_flags_are_known():
    """A new one of Lightning belongs into WORKS, with values that were tried, or is refused."""
    known = set(signature(Trainer.__init__).parameters) - {"self"}
    tried = {*TOGETHER, "accelerator", *(key for given in WORKS for key in given)}
    assert known == tried | ELSEWHERE | set(RESERVED)
    assert set(TRAINING) | {key for key, _ in REFUSED} <= known


def test_flags_that_leave_a_training_what_it_is(monkeypatch):
    monkeypatch.setattr("pytorch_lightning.profilers.SimpleProfiler.summary", lambda self: "")
    scores = trained(**TOGETHER)
    assert scores.of == "best checkpoint" and len(rows()) == 2
    tested = {key: value for key, value in TOGETHER.items() if key not in TRAINING}
    run.test(Path("run/checkpoints/best.ckpt"), CONFIG["data"], tested, progress=False)
    (name,) = set(read_results(Path("run"))) - {"validation"}
    assert name == "test_tones_2"  # of one batch of samples, which is not the test set


@pytest.mark.parametrize("given", WORKS, ids=lambda given: "-".join(given))
def test_flags_that_change_a_training(given):
    scores = trained(**given)
    assert 0 <= scores.accuracy <= 1
    if "fast_dev_run" in given:
        assert scores.of == "fast_dev_run, no checkpoint" and not list(Path("run").rglob("*.ckpt"))
        return
    validated = [float(row["val_acc"]) for row in rows() if row.get("val_acc")]
    assert scores.of.startswith("best checkpoint" if validated else "last epoch, the best checkpoint")
    _, network = read_network("run")
    assert network.head.linear.weight.dtype == torch.float32
    assert read_results(Path("run"))["validation"]["checkpoint"] == "best.ckpt"


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_flags_that_are_refused(key, value):
    with pytest.raises(ValueError, match=r"^trainer[.:]") as found:
        run.check({**CONFIG, "trainer": flags(**{key: value})})
    assert key in str(found.value) and "\n" not in str(found.value)


def test_nothing_is_opened_or_made_before_a_flag_is_refused(run_cli, monkeypatch):
    opened = lambda *_, **__: pytest.fail("the data were opened")  # noqa: E731
    monkeypatch.setattr(fake_data.Tones, "__init__", opened)
    options = ["--model.hidden_channels", "4", "--model.num_blocks", "1", "--model.kernel_hidden", "4"]
    options += ["--data.dataset", "tones", "--trainer.max_epochs", "1", "--trainer.precision", "bf16-true"]
    assert run_cli("train", *options) == (
        1,
        "",
        "ccnn-geo: trainer.precision: expected 32-true, 64-true, bf16-mixed or 16-mixed, because parameters stay in "
        "float32 or float64, got 'bf16-true'\n",
    )
    assert not Path("runs").exists()


def test_a_test_refuses_what_it_cannot_do():
    check_flags({"max_epochs": 0, "limit_val_batches": 0, "max_time": None}, training=False)
    for key, value in (("limit_test_batches", 0), ("precision", "16-true"), ("barebones", True)):
        with pytest.raises(ValueError, match=f"trainer.{key}: expected"):
            check_flags({key: value}, training=False)


@pytest.mark.parametrize(
    "flag",
    [
        "limit_train_batches",
        "limit_val_batches",
        "limit_test_batches",
        "overfit_batches",
        "val_check_interval",
    ],
)
def test_one_is_a_batch_and_not_all_of_them(flag):
    """Lightning's types are those of ``typing``, which holds a union of the same in another order for the same."""
    parser = train_parser("tones")
    for text, expected in (("1", 1), ("3", 3), ("1.0", 1.0), ("0.5", 0.5)):
        found = parser.parse_args([f"--trainer.{flag}", text]).trainer[flag]
        assert (found, type(found)) == (expected, type(expected))
    Path("a.yaml").write_text(f"trainer: {{{flag}: 1}}")
    assert type(parser.parse_args(["--config", "a.yaml"]).trainer[flag]) is int


@pytest.mark.parametrize("epochs", [-1, None])
def test_steps_alone_end_a_training(epochs):
    trained(max_epochs=epochs, max_steps=5)
    assert [row["step"] for row in rows()] == ["2", "4", "5"]
    assert float(rows()[-1]["lr"]) == 0.0  # the schedule falls over them
    assert all(float(row["val_acc"]) >= 0 for row in rows())  # the last step too, within an epoch


def test_a_step_within_an_epoch_is_validated_and_gone_on_from():
    assert trained(max_steps=1).of == "best checkpoint"  # of 2 in an epoch
    config = {**CONFIG, "trainer": flags(max_steps=3)}
    assert check_resume(config, Path("run/checkpoints/best.ckpt"), Path("run")).epochs == 1
    (row,) = rows()
    assert read_results(Path("run"))["validation"]["accuracy"] == pytest.approx(float(row["val_acc"]))


@pytest.mark.parametrize("epochs", [-1, None])
def test_time_alone_does_not_say_how_the_rate_falls(epochs):
    with pytest.raises(ValueError, match=r"trainer\.max_epochs: expected a number, or -1 with max_steps"):
        check_flags(flags(max_epochs=epochs, max_time="00:00:00:05"), training=True)
    check_flags(flags(max_epochs=epochs, max_time="00:00:00:05", max_steps=9), training=True)


def test_batches_that_are_overfitted_are_the_same(monkeypatch):
    seen = []
    step = run.Learner.training_step
    monkeypatch.setattr(
        run.Learner, "training_step", lambda *a: (seen.append(a[1][0].sum().item()), step(*a))[1]
    )
    trained(overfit_batches=1, max_epochs=2)
    assert len(seen) == 2 and len(set(seen)) == 1
    seen.clear()
    trained(limit_train_batches=1, max_epochs=2)
    assert len(set(seen)) == 2


def test_validation_counts_on_over_epochs():
    """Null is a value of this flag, and not the default of Lightning."""
    trained(val_check_interval=3, check_val_every_n_epoch=None, max_epochs=3)  # after 3 and 6 of 6 batches
    assert [bool(row.get("val_acc")) for row in rows()] == [False, True, True]
    assert "check_val_every_n_epoch: null" in Path("run/config.yaml").read_text()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"val_check_interval": 7},
            "trainer.val_check_interval: expected at most 2, the batches of an epoch",
        ),
        ({"limit_train_batches": 0.1}, "trainer: You requested to check 0.1 of the `train_dataloader`"),
        ({"limit_val_batches": 0.1}, "trainer: You requested to check 0.1 of the `val_dataloader`"),
    ],
)
def test_what_the_number_of_batches_forbids(given, message):
    with pytest.raises(ValueError) as found:
        trained(**given)
    assert str(found.value).startswith(message)
