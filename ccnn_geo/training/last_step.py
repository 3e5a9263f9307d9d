"""The end of a training by ``max_steps``, which may lie within an epoch."""

from __future__ import annotations

from typing import Any

from ccnn_geo.training.lightning import Callback, LightningModule, Trainer


class LastStep(Callback):
    """Stops at ``max_steps`` as ``max_time`` does, so that the learning of a partial epoch is validated, too.

    Lightning validates only at the end of whole epochs, and after a request to stop.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if 0 < trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True
