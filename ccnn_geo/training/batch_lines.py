"""Prints occasional lines within an epoch, for logs that cannot show a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ccnn_geo.training.lightning import Callback, LightningModule, Trainer

EVERY = 30.0
"""Seconds between two lines."""


class BatchLines(Callback):
    """Reports the progress of an epoch, if it takes long.

    Args:
        report: Receives the lines.
        every: Seconds between two lines; a shorter epoch has none.
    """

    def __init__(self, report: Callable[[str], None], every: float = EVERY) -> None:
        self.report, self.every = report, every
        self._epoch = self._told = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # the first epoch after a resume begins without on_train_epoch_start
        self._epoch = self._told = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epoch = self._told = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if trainer.is_global_zero and now - self._told >= self.every:
            self._told = now
            loss = float(trainer.callback_metrics["loss"])
            self.report(
                f"epoch {trainer.current_epoch + 1}  batch {batch_idx + 1} of {trainer.num_training_batches}"
                f"  loss {loss:.3f}  {now - self._epoch:.0f} s"
            )
