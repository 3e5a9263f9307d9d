"""Checkpoints that are complete or absent, and one when the user stops a run."""

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
    """Writes a checkpoint beside its place and renames it, on the same disk; reads none that is damaged."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        if storage_options is not None:
            raise TypeError(f"AtomicCheckpointIO: expected no storage_options, got {storage_options!r}")
        write_atomic(Path(path), lambda file: torch.save(checkpoint, file))

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, loc: storage, weights_only: bool | None = True
    ) -> dict[str, Any]:
        if weights_only is False:
            raise ValueError(f"{path}: expected weights_only=True, for nothing in a checkpoint is executed")
        return load_checkpoint(Path(path), map_location)


class BestCheckpoint(Checkpoint):
    """Keeps ``best.ckpt``: of the highest validation accuracy, among equals of the lowest loss, then of the latest.

    A validation whose loss is NaN never counts. At the end of an epoch the checkpoint is written when nothing of the
    epoch is left to do, so that a run can go on from it; within an epoch at once, with the weights that were validated.

    Args:
        folder: Of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / BEST
        self.rank: tuple[float, float] | None = None
        self._validated = False

    @property
    def state_key(self) -> str:
        """The name under which checkpoints of all releases keep its state."""
        return (
            "ModelCheckpoint{'monitor': 'val_acc', 'mode': 'max', 'every_n_train_steps': 0, 'every_n_epochs': 1, "
            "'train_time_interval': None}"
        )

    def state_dict(self) -> dict[str, Any]:
        accuracy, loss = (None, None) if self.rank is None else (self.rank[0], -self.rank[1])
        return {"best_model_score": accuracy, "best_model_loss": loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        accuracy = state_dict.get("best_model_score")
        loss = state_dict.get(
            "best_model_loss", inf
        )  # earlier releases did not compare it: any equal one wins
        self.rank = None if accuracy is None else (float(accuracy), -loss)

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
        accuracy, loss = (float(trainer.callback_metrics[f"val_{key}"]) for key in ("acc", "loss"))
        if not isnan(loss) and (self.rank is None or (accuracy, -loss) >= self.rank):
            self.rank = accuracy, -loss
            trainer.save_checkpoint(self.path, weights_only=False)  # the optimiser's state too


class LastCheckpoint(Checkpoint):
    """Saves ``last.ckpt`` at the end of every epoch, to resume from, and keeps the one before as ``previous.ckpt``.

    Lightning's ``save_last`` skips epochs that are not among the best. To be placed after
    :class:`BestCheckpoint`, whose state it includes.
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

    It holds the weights of that moment, for prediction; to continue exactly, ``last.ckpt`` is the one.
    With several processes nothing is saved, because they do not stop at the same step.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "interrupted.ckpt"

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        started = trainer.training and trainer.global_step > 0 and not getattr(trainer, "fast_dev_run", False)
        if isinstance(exception, KeyboardInterrupt) and started and trainer.world_size == 1:
            trainer.save_checkpoint(self.path, weights_only=False)  # the optimiser's state too
