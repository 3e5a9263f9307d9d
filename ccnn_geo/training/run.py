"""Training and testing as the command line starts them, without its output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from torch import Tensor

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
from ccnn_geo.training.data.families import data_module, make_data
from ccnn_geo.training.divergence import DivergenceStop, divergence_named
from ccnn_geo.training.flags import check_flags
from ccnn_geo.training.last_step import LastStep
from ccnn_geo.training.lightning import Trainer
from ccnn_geo.training.metrics import accuracies
from ccnn_geo.training.module import Classifier
from ccnn_geo.training.rates import SchedulePlace
from ccnn_geo.training.runs import RESULTS, add_result, read_results, result_name, results_before, run_of
from ccnn_geo.training.statistics import NormStatistics
from ccnn_geo.training.trainer import (
    averaging,
    interruptible,
    make_trainer,
    tensorboard_logger,
)

TESTED = ("limit_test_batches", "fast_dev_run", "precision")
"""Flags of the Trainer that change a result on the test set."""

UNTESTED = {"batch_size", "num_workers", "neighbor_cache", "limit", "validation_fraction", "augment"}
"""Settings of the data that do not."""


@dataclass(frozen=True)
class Scores:
    """Accuracies on one split, as fractions.

    Args:
        accuracy: Of all samples.
        mean_class_accuracy: Mean of the classes' own.
        loss: Mean cross-entropy.
        confusion: Samples of class (row) that were taken for class (column), ``[K, K]``.
        classes: Names of the classes.
        of: The weights that were evaluated, in words.

    Example:
        >>> scores = Scores(0.875, 0.875, 0.4, torch.tensor([[3, 1], [0, 4]]), ("cup", "mug"))
        >>> scores.numbers()
        {'accuracy': 0.875, 'mean_class_accuracy': 0.875, 'loss': 0.4}
        >>> scores.confusion.diagonal() / scores.confusion.sum(dim=1)  # accuracy of each class
        tensor([0.7500, 1.0000])
    """

    accuracy: float
    mean_class_accuracy: float
    loss: float
    confusion: Tensor
    classes: tuple[str, ...]
    of: str = ""

    def numbers(self) -> dict[str, float]:
        """What ``results.json`` keeps."""
        return {key: getattr(self, key) for key in ("accuracy", "mean_class_accuracy", "loss")}


def check(config: Mapping[str, Any]) -> None:
    """Finds what is wrong with a configuration before anything is written.

    Raises:
        ValueError: If an argument is out of range.
    """
    check_flags(config["trainer"], training=True)
    make_trainer(config["trainer"], Path(), [], False, False)
    data = make_data(config["data"])
    data.check()
    outputs = num_outputs(data.num_classes or 2, config["optim"].get("binary", False))
    network = build_network(data.in_channels or 1, outputs, data.dim, data.readout, **config["model"])
    if config["optim"].get("nyquist", 0.0) > 0:
        nyquist_penalty(
            [conv.kernel for conv in network.convs], 1.0
        )  # of frequencies, which not all kernels have
    Classifier(config["model"], **config["optim"])


def train(
    config: Mapping[str, Any],
    folder: Path,
    resume: Path | None = None,
    tensorboard: bool = False,
    progress: bool = True,
    report: Callable[[str], None] | None = None,
) -> Scores:
    """Trains a classifier, then validates its best checkpoint.

    Where no epoch was validated, the last one becomes the best checkpoint.

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
        ValueError: If an argument is out of range, or the training has ended before its first step.
    """
    data = make_data(config["data"])
    data.run_seed, data.same_batches = config["seed"], bool(config["trainer"].get("overfit_batches"))
    model = Classifier(config["model"], seed=config["seed"], data=config["data"], **config["optim"])
    metrics = folder / "metrics.csv"
    best, last = BestCheckpoint(folder / "checkpoints"), LastCheckpoint(folder / "checkpoints")
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
        *([] if report is None or progress else [BatchLines(report)]),  # a bar tells it too
        *averaging(config["optim"].get("ema", 0.0)),
        NormStatistics(),
        InterruptCheckpoint(folder / "checkpoints"),
        best,
        last,
    ]
    trainer = make_trainer(
        config["trainer"], folder, callbacks, tensorboard_logger(folder) if tensorboard else False, progress
    )
    with interruptible(trainer), divergence_named(trainer, model):
        trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=True)
        kept, of = _kept(trainer, best, last)
        trainer.validate(model, datamodule=data, ckpt_path=kept, verbose=False, weights_only=True)
    scores = _scores(trainer, "val", of)
    if trainer.is_global_zero:
        rows = read_metrics(metrics)
        last_epoch = {
            key: float(rows[-1][key])
            for key in ("epoch", "val_acc", "val_mean_acc")
            if rows and rows[-1].get(key)
        }
        about: dict[str, Any] = {} if kept is None else {"checkpoint": kept.name, "step": _step_of(kept)}
        add_result(folder, {"validation": {**scores.numbers(), **about, "last_epoch": last_epoch}})
        stale = results_before(read_results(folder), about)
        if stale and report is not None:
            report(
                f"results.json: {', '.join(stale)} of an earlier {about['checkpoint']}, until tested again"
            )
    return scores


def _step_of(checkpoint: Path) -> int:
    """Steps of the optimizer that a checkpoint has behind it."""
    return int(load_checkpoint(checkpoint)["global_step"])


def _kept(trainer: Trainer, best: BestCheckpoint, last: LastCheckpoint) -> tuple[Path | None, str]:
    """The checkpoint that a run stands for, and which one that is; None if nothing was to be kept."""
    if bool(getattr(trainer, "fast_dev_run", False)):
        return None, "fast_dev_run, no checkpoint"
    # where the first process has written it
    kept, latest = (Path(trainer.strategy.broadcast(str(part.path))) for part in (best, last))
    if best.rank is not None:
        return kept, "best checkpoint"
    if not latest.is_file():
        raise ValueError("trainer.max_time: expected time for a step at least, the training ended before it")
    if trainer.is_global_zero:
        link_atomic(latest, kept)
    trainer.strategy.barrier("best checkpoint")
    return kept, "last epoch, the best checkpoint for want of another that was validated"


def test(
    checkpoint: Path,
    settings: Mapping[str, Any],
    trainer_settings: Mapping[str, Any],
    out: Path | None = None,
    progress: bool = True,
) -> tuple[Scores, str]:
    """Evaluates a checkpoint on the test set.

    Args:
        checkpoint: The file.
        settings: Of the data module.
        trainer_settings: Of the Trainer.
        out: Where results go; by default the folder of the run.
        progress: Show a progress bar.

    Returns:
        The scores, and the name that ``results.json`` has for them.

    Raises:
        Interrupted: When the user stops it.
        ValueError: If the test set has other classes than the checkpoint.
    """
    check_flags(trainer_settings, training=False)
    folder = out or run_of(checkpoint)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out: expected a folder for the results, got the file {folder}")
    trainer = make_trainer(trainer_settings, folder, [], False, progress)
    read_results(folder)  # one that is damaged is no news for after the test
    model = Classifier.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True)
    data = make_data(settings)
    with interruptible(trainer), _without_test_set(folder):
        trainer.test(model, datamodule=data, verbose=False)
    scores = _scores(trainer, "test")
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


@contextmanager
def _without_test_set(folder: Path) -> Iterator[None]:
    """Says which accuracy there is where there is no test set."""
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
    """Settings of a test that change its result, where they are not those of the training."""
    before = {
        **{key: p.default for key, p in signature(data_module(tested["dataset"])).parameters.items()},
        **trained,
    }
    flags = {key: trainer[key] for key in TESTED if trainer.get(key) and not _is_usual(key, trainer[key])}
    some = any(key != "precision" for key in flags)  # batches of so many samples
    untested = UNTESTED - {"batch_size"} if some else UNTESTED
    data = {key: value for key, value in tested.items() if key not in untested and value != before.get(key)}
    if tested.get("carrier") == "points":
        data.pop("voxel_size", None)
    return {
        **{f"data.{key}": value for key, value in data.items()},
        **{f"trainer.{key}": value for key, value in flags.items()},
    }


def _is_usual(flag: str, value: Any) -> bool:
    """Whether a flag asks for what is done without it: 1.0 are all batches, 1 is one."""
    if flag == "limit_test_batches":
        return isinstance(value, float) and value == 1.0
    return flag == "precision" and str(value) in ("32", "32-true")


def _scores(trainer: Trainer, name: str, of: str = "") -> Scores:
    model = trainer.lightning_module
    assert isinstance(model, Classifier)
    overall, mean_class = accuracies(model.last_confusion)
    loss = float(trainer.callback_metrics[f"{name}_loss"])
    return Scores(overall, mean_class, loss, model.last_confusion, tuple(model.hparams.classes), of)
