"""Training and testing as the command line starts them, without its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer

from ccnn_geo.nyquist import nyquist_penalty
from ccnn_geo.predict import read_checkpoint
from ccnn_geo.training.batch_lines import BatchLines
from ccnn_geo.training.callbacks import (
    ConfigFile,
    DataNotes,
    KernelDomains,
    MetricsFile,
    PlanLine,
    StepSeed,
    WindowWidths,
    read_metrics,
)
from ccnn_geo.training.checkpoints import (
    InterruptCheckpoint,
    LastCheckpoint,
    best_checkpoint,
)
from ccnn_geo.training.datamodule import ShapesDataModule
from ccnn_geo.training.divergence import DivergenceStop, divergence_named
from ccnn_geo.training.families import data_module, make_data
from ccnn_geo.training.metrics import accuracies
from ccnn_geo.training.module import Classifier
from ccnn_geo.training.network import build_network, num_outputs
from ccnn_geo.training.pipeline import ShapePipeline
from ccnn_geo.training.plots import plot_confusion, plot_curves
from ccnn_geo.training.runs import add_result, run_of
from ccnn_geo.training.statistics import NormStatistics
from ccnn_geo.training.trainer import (
    averaging,
    expect_batches,
    interruptible,
    make_trainer,
    tensorboard_logger,
)


@dataclass(frozen=True)
class Scores:
    """Accuracies on one split, as fractions."""

    accuracy: float
    mean_class_accuracy: float
    loss: float


def check(config: Mapping[str, Any]) -> None:
    """Finds what is wrong with a configuration before anything is written.

    Raises:
        ValueError: If an argument is out of range.
    """
    data = make_data(config["data"])
    data.check()
    outputs = num_outputs(data.num_classes or 2, config["optim"].get("binary", False))
    network = build_network(data.in_channels or 1, outputs, data.dim, data.readout, **config["model"])
    if config["optim"].get("nyquist", 0.0) > 0:
        nyquist_penalty(
            [conv.kernel for conv in network.convs], 1.0
        )  # of frequencies, which not all kernels have
    Classifier(config["model"], **config["optim"])
    expect_batches(make_trainer(config["trainer"], Path(), [], False, False), "limit_val_batches")


def check_resume(config: Mapping[str, Any], checkpoint: Path) -> None:
    """Compares a configuration with the checkpoint that it is to continue.

    Raises:
        ValueError: If the network or its input is another one.
    """
    stored, _ = read_checkpoint(checkpoint)
    defaults = {key: argument.default for key, argument in signature(build_network).parameters.items()}
    before, now = ({**defaults, **model} for model in (stored["network"], config["model"]))
    rows = [(f"model.{key}", before[key], now[key]) for key in now if before.get(key) != now[key]]
    binary = [bool(optim.get("binary")) for optim in (stored, config["optim"])]
    if binary[0] != binary[1]:
        rows.append(("optim.binary", binary[0], binary[1]))
    if data_module(config["data"]["dataset"]) is ShapesDataModule:
        features = [
            list(ShapePipeline.from_settings(data).features) for data in (stored["data"], config["data"])
        ]
        if features[0] != features[1]:
            rows.append(("data.features", features[0], features[1]))
    if rows:
        changes = "; ".join(f"{key} was {old!r}, got {new!r}" for key, old, new in rows)
        raise ValueError(f"--resume {checkpoint}: {changes}; expected the same, or a new run")


def train(
    config: Mapping[str, Any],
    folder: Path,
    resume: Path | None = None,
    tensorboard: bool = False,
    progress: bool = True,
    report: Callable[[str], None] | None = None,
) -> Scores:
    """Trains a classifier, then validates its best checkpoint and draws the pictures.

    Args:
        config: ``seed``, ``model``, ``optim``, ``data`` and ``trainer``, plain values.
        folder: Of the run.
        resume: Checkpoint to continue from.
        tensorboard: Also log for TensorBoard.
        progress: Show a progress bar.
        report: Receives lines: warm-up and learning rate, what the data say of themselves, one per epoch, and without a
            bar one from time to time within long epochs.

    Returns:
        Scores of the best checkpoint on the validation set.

    Raises:
        Interrupted: When the user stops it.
        ValueError: If an argument is out of range.
    """
    data = make_data(config["data"])
    data.run_seed = config["seed"]
    model = Classifier(config["model"], seed=config["seed"], data=config["data"], **config["optim"])
    metrics = folder / "metrics.csv"
    best = best_checkpoint(folder / "checkpoints")
    callbacks = [
        ConfigFile(folder / "config.yaml", config),
        StepSeed(config["seed"]),
        DivergenceStop(),
        KernelDomains(),
        WindowWidths(),
        MetricsFile(metrics, report),
        *([] if report is None else [PlanLine(report), DataNotes(report)]),
        *([] if report is None or progress else [BatchLines(report)]),  # a bar tells it too
        *averaging(config["optim"].get("ema", 0.0)),
        NormStatistics(),
        InterruptCheckpoint(folder / "checkpoints"),
        best,
        LastCheckpoint(folder / "checkpoints"),
    ]
    trainer = make_trainer(
        config["trainer"], folder, callbacks, tensorboard_logger(folder) if tensorboard else False, progress
    )
    with interruptible(trainer), divergence_named(trainer, model):
        trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=True)
        trainer.validate(
            model, datamodule=data, ckpt_path=best.best_model_path or None, verbose=False, weights_only=True
        )
    scores = _scores(trainer, "val")
    if trainer.is_global_zero:
        rows = read_metrics(metrics)
        plot_curves(rows, folder / "curves.png")
        plot_confusion(
            model.last_confusion,
            model.hparams.classes,
            folder / "confusion.png",
            f"validation, {100 * scores.accuracy:.1f} %",
        )
        last = {
            key: float(rows[-1][key])
            for key in ("epoch", "val_acc", "val_mean_acc")
            if rows and rows[-1].get(key)
        }
        add_result(
            folder,
            {
                "validation": {
                    **vars(scores),
                    "checkpoint": Path(best.best_model_path).name,
                    "last_epoch": last,
                }
            },
        )
    return scores


def test(
    checkpoint: Path,
    settings: Mapping[str, Any],
    trainer_settings: Mapping[str, Any],
    out: Path | None = None,
    progress: bool = True,
) -> tuple[Scores, Path]:
    """Evaluates a checkpoint on the test set and draws the confusion matrix.

    Args:
        checkpoint: The file.
        settings: Of the data module.
        trainer_settings: Of the Trainer.
        out: Where results go; by default the folder of the run.
        progress: Show a progress bar.

    Returns:
        The scores, and the picture.

    Raises:
        Interrupted: When the user stops it.
        ValueError: If the test set has other classes than the checkpoint.
    """
    model = Classifier.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True)
    data = make_data(settings)
    folder = out or run_of(checkpoint)
    trainer = make_trainer(trainer_settings, folder, [], False, progress)
    expect_batches(trainer, "limit_test_batches")
    with interruptible(trainer):
        trainer.test(model, datamodule=data, verbose=False)
    scores = _scores(trainer, "test")
    picture = folder / f"confusion_test_{data.label}.png"
    if trainer.is_global_zero:
        title = f"test, {data.label}, {100 * scores.accuracy:.1f} %"
        plot_confusion(model.last_confusion, model.hparams.classes, picture, title)
        add_result(folder, {f"test_{data.label}": {**vars(scores), "checkpoint": checkpoint.name}})
    return scores, picture


def _scores(trainer: Trainer, name: str) -> Scores:
    model = trainer.lightning_module
    assert isinstance(model, Classifier)
    overall, mean_class = accuracies(model.last_confusion)
    return Scores(overall, mean_class, float(trainer.callback_metrics[f"{name}_loss"]))
