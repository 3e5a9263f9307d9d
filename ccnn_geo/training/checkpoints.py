"""Checkpoints that are complete or absent, including one when the user stops a run."""

from __future__ import annotations

from math import inf, isnan
from pathlib import Path
from typing import Any

import torch

from ccnn_geo.io.files.storage import link_atomic, remove_unfinished, write_atomic
from ccnn_geo.io.models.checkpoint import BEST, LAST, PREVIOUS, load_checkpoint
from ccnn_geo.training.lightning import (
    Callback,
    Checkpoint,
    LightningModule,
    TorchCheckpointIO,
    Trainer,
    TrainerFn,
)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place on the same disk and renames it; refuses damaged ones."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        if storage_options is not None:
            raise TypeError(f"AtomicCheckpointIO: expected no storage_options, got {storage_options!r}")
        write_atomic(Path(path), lambda file: torch.save(checkpoint, file))

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, loc: storage, weights_only: bool | None = True
    ) -> dict[str, Any]:
        if weights_only is False:
            raise ValueError(
                f"{path}: expected weights_only=True, because nothing in a checkpoint is executed"
            )
        return load_checkpoint(Path(path), map_location)


class BestCheckpoint(Checkpoint):
    """Keeps ``best.ckpt``, the checkpoint of the best validation.

    Among equal validations the lowest loss wins, then the latest. A validation with a NaN loss never counts. At the end
    of an epoch the checkpoint is written after everything else, so that a run can resume from it. Within an epoch it is
    written at once, with the weights that were validated.

    Args:
        folder: Folder of the checkpoints.
        metric: The validation score that decides.
        larger_is_better: Whether the largest score is the best.
        patience: Number of validations without improvement after which the training ends; None for no limit.
    """

    def __init__(
        self, folder: Path, metric: str = "acc", larger_is_better: bool = True, patience: int | None = None
    ) -> None:
        self.path, self.patience = folder / BEST, patience
        self.metric, self.sign = metric, 1 if larger_is_better else -1
        self.rank: tuple[float, float] | None = None
        self.stale = 0
        """Validations since the best one."""
        self._validated = False

    @property
    def is_over(self) -> bool:
        """Whether the training has gone too long without improvement."""
        return self.patience is not None and self.stale >= self.patience

    @property
    def state_key(self) -> str:
        """The key of its state in checkpoints of all releases."""
        return (
            "ModelCheckpoint{'monitor': 'val_acc', 'mode': 'max', 'every_n_train_steps': 0, 'every_n_epochs': 1, "
            "'train_time_interval': None}"
        )

    def state_dict(self) -> dict[str, Any]:
        score, loss = (None, None) if self.rank is None else (self.sign * self.rank[0], -self.rank[1])
        return {
            "best_model_score": score,
            "best_model_loss": loss,
            "metric": self.metric,
            "stale": self.stale,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # a run of an earlier release still chooses by accuracy, whatever its task
        if state_dict.get("metric", "acc") != self.metric:
            self.metric, self.sign = "acc", 1
        score = state_dict.get("best_model_score")
        # earlier releases did not compare losses: any equal one wins
        loss = state_dict.get("best_model_loss", inf)
        self.rank = None if score is None else (self.sign * float(score), -loss)
        self.stale = int(state_dict.get("stale", 0))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.is_over:  # a resumed run that ended early before
            trainer.should_stop = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            self._validated = True
            if not trainer.fit_loop.epoch_loop.done:
                self._save_if_best(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save_if_best(trainer)

    def _save_if_best(self, trainer: Trainer) -> None:
        validated, self._validated = self._validated, False
        if not validated or getattr(trainer, "fast_dev_run", False):
            return
        score, loss = (float(trainer.callback_metrics[f"val_{key}"]) for key in (self.metric, "loss"))
        rank = self.sign * score, -loss
        if not isnan(loss) and not isnan(score) and (self.rank is None or rank >= self.rank):
            self.stale = 0 if self.rank is None or rank > self.rank else self.stale + 1
            self.rank = rank
            trainer.save_checkpoint(self.path, weights_only=False)  # the optimiser's state too
        else:
            self.stale += 1
        if self.is_over:
            trainer.should_stop = True


class LastCheckpoint(Checkpoint):
    """Saves ``last.ckpt`` at the end of every epoch, for resuming, and keeps the one before as ``previous.ckpt``.

    Lightning's ``save_last`` skips epochs that are not among the best. Place this callback after
    :class:`BestCheckpoint`, because it stores that callback's state.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LAST
        self._is_whole = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # a run that starts from another checkpoint may have left a damaged one here
        self._is_whole = (
            trainer.ckpt_path is not None and self.path.resolve() == Path(trainer.ckpt_path).resolve()
        )
        if trainer.is_global_zero:
            remove_unfinished(self.path.parent)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if getattr(trainer, "fast_dev_run", False):
            return
        if trainer.is_global_zero and self._is_whole:
            link_atomic(self.path, self.path.with_name(PREVIOUS))
        trainer.save_checkpoint(self.path, weights_only=False)  # the optimiser's state too
        self._is_whole = True


class InterruptCheckpoint(Callback):
    """Saves ``interrupted.ckpt`` when the user stops the training within an epoch.

    It holds the weights of that moment, for prediction; use ``last.ckpt`` to continue exactly. With several processes
    nothing is saved, because they do not stop at the same step.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "interrupted.ckpt"

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        started = trainer.training and trainer.global_step > 0 and not getattr(trainer, "fast_dev_run", False)
        if isinstance(exception, KeyboardInterrupt) and started and trainer.world_size == 1:
            trainer.save_checkpoint(self.path, weights_only=False)  # the optimiser's state too
