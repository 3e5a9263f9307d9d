"""Learning rates of a training that goes on with other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ccnn_geo.training.lightning import Callback, LightningModule, Trainer


def take_rates(checkpoint: Mapping[str, Any], groups: Sequence[Mapping[str, Any]], lr: float) -> None:
    """Puts other learning rates and weight decays into the state that a training is about to go on from.

    The optimizer and its schedule would otherwise keep those they were stored with.

    Args:
        checkpoint: Its ``optimizer_states`` and ``lr_schedulers`` are changed.
        groups: Of the parameters, in the order of the optimizer's.
        lr: Highest learning rate of groups that name none.
    """
    for state in checkpoint.get("optimizer_states", ()):
        for stored, group in zip(state["param_groups"], groups, strict=True):
            highest = group.get("lr", lr)
            stored["lr"] *= highest / stored["initial_lr"]
            stored.update(initial_lr=highest, weight_decay=group.get("weight_decay", stored["weight_decay"]))
    for schedule in checkpoint.get("lr_schedulers", ()):
        schedule["base_lrs"] = [group.get("lr", lr) for group in groups]


class SchedulePlace(Callback):
    """Puts the schedule where the complete epochs are, if an epoch has other steps than when the run was stored.

    A schedule counts steps: with batches half as large it would begin again at a quarter of the way for a half.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        current: Any = trainer.fit_loop.epoch_progress.current
        if trainer.max_steps != -1 or current.processed == 0:
            return
        model: Any = pl_module
        schedule: Any = trainer.lr_scheduler_configs[0].scheduler
        place = current.processed * model.steps_per_epoch()
        if place != schedule.last_epoch:
            schedule.last_epoch = place
            rates = [
                base * factor(place)
                for base, factor in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
            ]
            for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
            schedule._last_lr = rates
