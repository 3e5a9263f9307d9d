"""The end of a training by ``max_steps``, which may lie within an epoch."""

from __future__ import annotations

from typing import Any

from ccnn_geo.training.lightning import Callback, LightningModule, Trainer


class LastStep(Callback):
    """Stops at ``max_steps`` as ``max_time`` does: what was learned in a part of an epoch is validated, too.

    Lightning validates at the end of whole epochs, and where somebody asks it to stop.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if 0 < trainer.max_steps <= trainer.global_step:
            trainer.should_stop = True
