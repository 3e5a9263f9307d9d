"""Ends a training when its weights are not finite; it would learn nothing until the last epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ccnn_geo.training.lightning import Callback, LightningModule, Trainer


class DivergedError(ValueError):
    """Weights have become NaN or infinite; the message says when, which, and how to fix it."""


class DivergenceStop(Callback):
    """Ends a training after an epoch that leaves NaN or infinite weights, before they are saved.

    The loss alone does not show this: a step in half precision may overflow and is then skipped.

    Raises:
        DivergedError: If a parameter is not finite; names the step and the first such parameter.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loss = trainer.callback_metrics.get("train_loss")
        if loss is None or not bool(torch.isfinite(loss)):
            _check(trainer, pl_module)


@contextmanager
def divergence_named(trainer: Trainer, model: LightningModule) -> Iterator[None]:
    """Reports diverged weights if they make a step fail, for instance a window without a size.

    Raises:
        DivergedError: In place of an error of a training with such weights.
    """
    try:
        yield
    except DivergedError:
        raise
    except Exception as error:
        _check(trainer, model, error)
        raise


def _check(trainer: Trainer, model: LightningModule, cause: Exception | None = None) -> None:
    bad = next((name for name, value in model.named_parameters() if not bool(value.isfinite().all())), None)
    if bad is not None:
        raise DivergedError(
            f"training has diverged: after step {trainer.global_step} of epoch {trainer.current_epoch} {bad} is not "
            "finite; lower optim.lr, or set trainer.gradient_clip_val"
        ) from cause
