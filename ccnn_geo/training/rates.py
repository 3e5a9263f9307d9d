"""Learning rates of a training that resumes with other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ccnn_geo.training.lightning import Callback, LightningModule, Trainer


def take_rates(checkpoint: Mapping[str, Any], groups: Sequence[Mapping[str, Any]], lr: float) -> None:
    """Puts new learning rates and weight decays into the state that a training resumes from.

    The optimizer and its schedule would otherwise keep the stored ones.

    Args:
        checkpoint: A checkpoint; its ``optimizer_states`` and ``lr_schedulers`` are changed.
        groups: Groups of parameters, in the order of the optimizer's.
        lr: Highest learning rate of groups without their own.
    """
    for state in checkpoint.get("optimizer_states", ()):
        for stored, group in zip(state["param_groups"], groups, strict=True):
            highest = group.get("lr", lr)
            stored["lr"] *= highest / stored["initial_lr"]
            stored.update(initial_lr=highest, weight_decay=group.get("weight_decay", stored["weight_decay"]))
    for schedule in checkpoint.get("lr_schedulers", ()):
        schedule["base_lrs"] = [group.get("lr", lr) for group in groups]


class SchedulePlace(Callback):
    """Moves the schedule to the end of the complete epochs, if the number of steps per epoch has changed.

    A schedule counts steps: with batches half as large, a run stored halfway would resume at a quarter of its schedule.
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
