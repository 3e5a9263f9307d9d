"""A training for a number of epochs, or for as many whole epochs as fit into some processor seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ccnn_geo.cli.quiet import quiet
from ccnn_geo.experiments.engine.reproduction import Numbers
from ccnn_geo.experiments.studies.peer_training import EpochClock, fit, make_model
from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.training.callbacks import StepSeed, read_metrics
from ccnn_geo.training.lightning import Callback, LightningModule, Trainer
from ccnn_geo.training.trainer import averaging, make_trainer

WARMUP = 0.1
"""Share of the epochs in which the learning rate rises."""
VALIDATIONS = 6
"""Approximate number of validations in a training; the last epoch is always validated."""
UNTIMED, TIMED = 3, 10
"""Steps before the clock starts, and steps that it times."""


class StepClock(Callback):
    """Processor seconds at the end of each step, in ``seconds``."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.seconds.append(time.process_time() if pl_module.device.type == "cpu" else time.monotonic())


class SomeValidations(Callback):
    """Validates after every few epochs, and after the last one."""

    def __init__(self, every: int) -> None:
        self.every = every

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.on_train_epoch_start(trainer, pl_module)  # a resumed run skips this hook

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        is_last = trainer.current_epoch + 1 == trainer.max_epochs
        trainer.check_val_every_n_epoch = 1 if is_last else self.every


def seconds_per_epoch(config: Mapping[str, Any], classifier: str, folder: Path) -> float:
    """Times a few steps of a temporary network, including the loading of data; returns seconds per epoch."""
    quiet()
    data, model = make_model(config, classifier)
    clock = StepClock()
    callbacks = [StepSeed(config["seed"]), *averaging(config["optim"].get("ema", 0.0)), clock]
    settings = {
        **config["trainer"],
        "max_steps": UNTIMED + TIMED,
        "max_epochs": UNTIMED + TIMED,  # an epoch has at least one step
        "limit_val_batches": 0,
        "enable_checkpointing": False,
    }
    trainer = make_trainer(settings, folder, callbacks, logger=False, progress=False)
    trainer.fit(model, datamodule=data)
    step = (clock.seconds[-1] - clock.seconds[UNTIMED - 1]) / TIMED
    return step * trainer.num_training_batches


def train_within(
    folder: Path, config: Mapping[str, Any], classifier: str, epochs: int | None, seconds: float | None
) -> Numbers:
    """Trains for a number of epochs or of seconds; in either case the schedule ends with the training.

    Args:
        folder: Gets a checkpoint and ``metrics.csv`` after each epoch; an interrupted training continues.
        config: As for :func:`~ccnn_geo.experiments.studies.peer_training.train`, without ``max_epochs`` and
            ``warmup_epochs``.
        classifier: A key of :data:`~ccnn_geo.experiments.studies.peer_training.CLASSIFIERS`.
        epochs: Number of epochs; None if seconds are given.
        seconds: Seconds of training without validation, on a CPU seconds of the processor. Runs as many epochs as fit
            into them, judged by the first steps, and at least one.

    Returns:
        ``accuracy`` and ``mean_class_accuracy`` on validation data after the last epoch and ``training``, in percent;
        ``epochs``; ``seconds`` of training up to each epoch's end; ``validated``, epochs, and ``curve``, their
        accuracies; ``training_curve``; ``parameters``.

    Raises:
        FileNotFoundError: If there is no data.
        ValueError: If an argument is out of range, or epochs and seconds are both given or both missing.
    """
    if (epochs is None) == (seconds is None):
        raise ValueError(f"train_within: expected epochs or seconds, got {epochs} and {seconds}")
    if epochs is None:
        assert seconds is not None
        epochs = _epochs(folder, config, classifier, seconds)
    whole = {
        **config,
        "optim": {**config["optim"], "warmup_epochs": WARMUP * epochs},
        "trainer": {**config["trainer"], "max_epochs": epochs},
    }
    clock = EpochClock(validation=False)
    _, _, model = fit(folder, whole, classifier, clock, [SomeValidations(-(-epochs // VALIDATIONS))])
    rows = read_metrics(folder / "metrics.csv")
    validated = [row for row in rows if row["val_acc"]]
    return {
        "accuracy": 100 * float(rows[-1]["val_acc"]),
        "mean_class_accuracy": 100 * float(rows[-1]["val_mean_acc"]),
        "training": 100 * float(rows[-1]["train_acc"]),
        "epochs": epochs,
        "seconds": clock.seconds,
        "validated": [int(row["epoch"]) for row in validated],
        "curve": [100 * float(row["val_acc"]) for row in validated],
        "training_curve": [100 * float(row["train_acc"]) for row in rows],
        "parameters": sum(p.numel() for p in model.network.parameters()),
    }


def _epochs(folder: Path, config: Mapping[str, Any], classifier: str, seconds: float) -> int:
    """Whole epochs within some seconds; measured once, also for a training that is interrupted."""
    target = folder / "epochs.json"
    if not target.exists():
        each = seconds_per_epoch(config, classifier, folder)
        found = {"seconds_per_epoch": each, "epochs": max(1, int(seconds / each))}
        write_atomic(target, lambda file: file.write(json.dumps(found).encode()))
    return json.loads(target.read_text())["epochs"]
