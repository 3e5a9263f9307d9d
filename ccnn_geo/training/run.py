"""Training and testing, without the output of the command line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

from torch import Tensor

from ccnn_geo.export.scenes.confusion import scene_confusion
from ccnn_geo.io.files.storage import link_atomic
from ccnn_geo.io.models.checkpoint import load_checkpoint
from ccnn_geo.nn.build import build_network, num_outputs
from ccnn_geo.nn.nyquist import nyquist_penalty
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
    BestCheckpoint,
    InterruptCheckpoint,
    LastCheckpoint,
)
from ccnn_geo.training.data.base import EpochDataModule
from ccnn_geo.training.data.families import data_module, make_data
from ccnn_geo.training.data.sources import is_there
from ccnn_geo.training.divergence import DivergenceStop, divergence_named
from ccnn_geo.training.flags import check_flags
from ccnn_geo.training.last_step import LastStep
from ccnn_geo.training.lightning import Trainer
from ccnn_geo.training.module import Learner
from ccnn_geo.training.rates import SchedulePlace
from ccnn_geo.training.runs import RESULTS, add_result, read_results, result_name, results_before, run_of
from ccnn_geo.training.statistics import NormStatistics
from ccnn_geo.training.tasks.choose import RANKS, check_loss, check_task
from ccnn_geo.training.tasks.scores import AnyScores, SegmentationScores
from ccnn_geo.training.tasks.scores import Scores as Scores  # its old place
from ccnn_geo.training.trainer import (
    averaging,
    interruptible,
    make_trainer,
    tensorboard_logger,
)
from ccnn_geo.transforms.pipelines.scans import ScanPipeline

TESTED = ("limit_test_batches", "fast_dev_run", "precision")
"""Flags of the Trainer that change a result on the test set."""

UNTESTED = {"batch_size", "num_workers", "neighbor_cache", "limit", "validation_fraction", "augment"}
"""Settings of the data that do not change it."""


def check(config: Mapping[str, Any]) -> None:
    """Refuses faulty configurations before anything is written.

    Raises:
        ValueError: If an argument is out of range.
    """
    check_flags(config["trainer"], training=True)
    make_trainer(config["trainer"], Path(), [], False, False)
    data = make_data(config["data"])
    data.check()
    if is_there(data.dataset, config["data"].get("root", "data")):  # a missing folder is reported next
        _check_task(config, data)
    patience = config.get("early_stopping")
    if patience is not None and patience < 1:
        raise ValueError(f"--early_stopping: expected 1 validation or more, or null, got {patience}")
    outputs = num_outputs(data.num_classes or 2, config["optim"].get("binary", False))
    network = build_network(data.in_channels or 1, outputs, data.dim, data.readout, **config["model"])
    if config["optim"].get("nyquist", 0.0) > 0:
        nyquist_penalty(
            [conv.kernel for conv in network.convs], 1.0
        )  # needs frequencies, which not all kernels have
    Learner(config["model"], **config["optim"])


def _check_task(config: Mapping[str, Any], data: EpochDataModule) -> None:
    """Refuses options that do not fit the task of the data."""
    task = check_task(config.get("task"), data.task, data.dataset)
    check_loss(task, config["optim"])
    if config["model"].get("composition") and task != "regression":
        raise ValueError(f"model.composition: expected regression, got {task}")


def train(
    config: Mapping[str, Any],
    folder: Path,
    resume: Path | None = None,
    tensorboard: bool = False,
    progress: bool = True,
    report: Callable[[str], None] | None = None,
) -> AnyScores:
    """Trains a network for its task, then validates its best checkpoint.

    If no epoch was validated, the last one becomes the best checkpoint.

    Args:
        config: ``seed``, ``model``, ``optim``, ``data`` and ``trainer``, plain values; optionally ``task``;
            ``early_stopping``, the number of validations without improvement that ends the training; and ``from``, a
            trained network to start from.
        folder: Folder of the run.
        resume: Checkpoint to continue from.
        tensorboard: Also log for TensorBoard.
        progress: Show a progress bar.
        report: Receives lines: warm-up and learning rate, notes about the data, one line per epoch, and without a
            progress bar occasional lines within long epochs.

    Returns:
        Scores of the best checkpoint on the validation set.

    Raises:
        Interrupted: If the user stops it.
        ValueError: If an argument is out of range, or the training has ended before its first step.
    """
    data = make_data(config["data"])
    data.run_seed, data.same_batches = config["seed"], bool(config["trainer"].get("overfit_batches"))
    task = check_task(config.get("task"), data.task, data.dataset)
    model = Learner(config["model"], seed=config["seed"], data=config["data"], task=task, **config["optim"])
    model.start = None if resume is not None else config.get("from")
    metrics, stored = folder / "metrics.csv", folder / "checkpoints"
    best, last = BestCheckpoint(stored, *RANKS[task], config.get("early_stopping")), LastCheckpoint(stored)
    callbacks = [
        ConfigFile(folder / "config.yaml", config),
        StepSeed(config["seed"]),
        SchedulePlace(),
        DivergenceStop(),
        LastStep(),
        KernelDomains(),
        WindowWidths(),
        MetricsFile(metrics, report),
        *([] if report is None else [PlanLine(report), DataNotes(report)]),
        *([] if report is None or progress else [BatchLines(report)]),  # a progress bar shows the same
        *averaging(config["optim"].get("ema", 0.0)),
        *([] if config["optim"].get("trunk_lr") == 0 else [NormStatistics()]),  # norms below the head stay
        InterruptCheckpoint(stored),
        best,
        last,
    ]
    trainer = make_trainer(
        config["trainer"], folder, callbacks, tensorboard_logger(folder) if tensorboard else False, progress
    )
    with interruptible(trainer), divergence_named(trainer, model):
        trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=True)
        if best.is_over and trainer.is_global_zero and report is not None:
            report(f"early stopping: {best.stale} validations without improvement")
        kept, of = _kept(trainer, best, last)
        trainer.validate(model, datamodule=data, ckpt_path=kept, verbose=False, weights_only=True)
    scores = _scores(trainer, "val", of)
    if trainer.is_global_zero:
        about: dict[str, Any] = {} if kept is None else {"checkpoint": kept.name, "step": _step_of(kept)}
        last_epoch = _last_epoch(metrics, model.task.columns)
        add_result(folder, {"validation": {**scores.numbers(), **about, "last_epoch": last_epoch}})
        stale = results_before(read_results(folder), about)
        if stale and report is not None:
            report(
                f"results.json: {', '.join(stale)} from an earlier {about['checkpoint']}, until tested again"
            )
    return scores


def _last_epoch(metrics: Path, columns: Sequence[str]) -> dict[str, float | None]:
    """The validation scores in the last row of the metrics, without the loss; None where a number is unknown."""
    rows = read_metrics(metrics)
    keys = ["epoch", *(f"val_{key}" for key in columns if key != "loss")]
    found = {key: float(rows[-1][key]) for key in keys if rows and rows[-1].get(key)}
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


def _step_of(checkpoint: Path) -> int:
    """Number of optimizer steps behind a checkpoint."""
    return int(load_checkpoint(checkpoint)["global_step"])


def _kept(trainer: Trainer, best: BestCheckpoint, last: LastCheckpoint) -> tuple[Path | None, str]:
    """The checkpoint that represents a run, and a description of it; None if nothing is kept."""
    if bool(getattr(trainer, "fast_dev_run", False)):
        return None, "fast_dev_run, no checkpoint"
    # the path in the first process, which wrote it
    kept, latest = (Path(trainer.strategy.broadcast(str(part.path))) for part in (best, last))
    if best.rank is not None:
        return kept, "best checkpoint"
    if not latest.is_file():
        raise ValueError(
            "trainer.max_time: expected time for at least one step, the training ended before it"
        )
    if trainer.is_global_zero:
        link_atomic(latest, kept)
    trainer.strategy.barrier("best checkpoint")
    return kept, "last epoch, the best checkpoint because no other was validated"


def test(
    checkpoint: Path,
    settings: Mapping[str, Any],
    trainer_settings: Mapping[str, Any],
    out: Path | None = None,
    progress: bool = True,
) -> tuple[AnyScores, str]:
    """Evaluates a checkpoint on the test set.

    Args:
        checkpoint: The file.
        settings: Settings of the data module.
        trainer_settings: Settings of the Trainer.
        out: Folder of the results; by default the folder of the run.
        progress: Show a progress bar.

    Returns:
        The scores, and their name in ``results.json``.

    Raises:
        Interrupted: If the user stops it.
        ValueError: If the test set has other classes than the checkpoint.
    """
    check_flags(trainer_settings, training=False)
    folder = out or run_of(checkpoint)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out: expected a folder for the results, got the file {folder}")
    trainer = make_trainer(trainer_settings, folder, [], False, progress)
    read_results(folder)  # a damaged file must fail before the test
    model = Learner.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True)
    data = make_data(settings)
    with interruptible(trainer), _without_test_set(folder):
        trainer.test(model, datamodule=data, verbose=False)
    scores = _scores(trainer, "test")
    if isinstance(scores, SegmentationScores) and not _is_part(trainer_settings) and trainer.world_size == 1:
        scores = replace(scores, whole=_whole_scans(model, data))
    trained = model.hparams.data
    is_own = run_of(checkpoint).resolve() == folder.resolve()
    about = {
        "checkpoint": checkpoint.name if is_own else str(checkpoint),
        "settings": _differences(trained, settings, trainer_settings),
    }
    name = result_name(data.label, make_data(trained).label, about, read_results(folder))
    if trainer.is_global_zero:
        add_result(folder, {name: {**scores.numbers(), **about, "step": _step_of(checkpoint)}})
    return scores, name


def _is_part(trainer_settings: Mapping[str, Any]) -> bool:
    """Whether flags skip samples."""
    flags = ("limit_test_batches", "fast_dev_run")
    return any(trainer_settings.get(key) and not _is_usual(key, trainer_settings[key]) for key in flags)


def _whole_scans(model: Learner, data: Any) -> Tensor | None:
    """Confusion of all labelled points of the scans in a test set; None if the samples are not scans."""
    if not isinstance(data.pipeline, ScanPipeline):
        return None
    return scene_confusion(model.network.eval(), data.pipeline, data.test_set.paths)


@contextmanager
def _without_test_set(folder: Path) -> Iterator[None]:
    """Points to the validation accuracy if there is no test set."""
    try:
        yield
    except FileNotFoundError as error:
        if "validation" not in read_results(folder):
            raise
        known = f"the accuracy on the validation set is in {folder / RESULTS}"
        raise FileNotFoundError(f"{error}; {known}") from error


def _differences(
    trained: Mapping[str, Any], tested: Mapping[str, Any], trainer: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings of a test that change its result and differ from those of the training."""
    before = {
        **{key: p.default for key, p in signature(data_module(tested["dataset"])).parameters.items()},
        **trained,
    }
    flags = {key: trainer[key] for key in TESTED if trainer.get(key) and not _is_usual(key, trainer[key])}
    some = any(key != "precision" for key in flags)  # batches of that many samples
    untested = UNTESTED - {"batch_size"} if some else UNTESTED
    data = {key: value for key, value in tested.items() if key not in untested and value != before.get(key)}
    if tested.get("carrier") == "points":
        data.pop("voxel_size", None)
    return {
        **{f"data.{key}": value for key, value in data.items()},
        **{f"trainer.{key}": value for key, value in flags.items()},
    }


def _is_usual(flag: str, value: Any) -> bool:
    """Whether a flag only asks for the default: 1.0 are all batches, 1 is one."""
    if flag == "limit_test_batches":
        return isinstance(value, float) and value == 1.0
    return flag == "precision" and str(value) in ("32", "32-true")


def _scores(trainer: Trainer, name: str, of: str = "") -> AnyScores:
    model = trainer.lightning_module
    assert isinstance(model, Learner)
    loss = float(trainer.callback_metrics[f"{name}_loss"])
    return model.task.scores(model.last_counted, loss, of, model.scene)
