"""Refuses unusable flags of Lightning's Trainer by name, before anything is loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from ccnn_geo.training.lightning import ClusterEnvironment, LightningEnvironment, Timer

TRAINING = (
    *("max_epochs", "min_epochs", "max_steps", "min_steps", "max_time"),
    *("limit_train_batches", "limit_val_batches", "overfit_batches", "val_check_interval"),
    *("check_val_every_n_epoch", "accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm"),
    *("log_every_n_steps", "reload_dataloaders_every_n_epochs", "detect_anomaly", "sync_batchnorm"),
)
"""Flags that only concern training: ``test`` does not have them."""

_PRECISIONS = ("32", "32-true", "64", "64-true", "bf16", "bf16-mixed", "16", "16-mixed")
_HALF = "32-true, 64-true, bf16-mixed or 16-mixed, because parameters stay in float32 or float64"
_BATCHES = "more than 0, or there is nothing to {}"
_ONE = "1 or more"
_NONE = "nothing: "

_Rule = tuple[Callable[[Any], bool], str]

RULES: dict[str, _Rule] = {
    "precision": (lambda v: str(v) in _PRECISIONS, _HALF),
    "strategy": (
        lambda v: v in ("auto", "single_device", "ddp") or str(v).startswith("ddp_find_unused_parameters_"),
        "auto, single_device or ddp, where every process runs the whole command and holds the whole network",
    ),
    "profiler": (lambda v: v in ("simple", "advanced", "pytorch"), "simple, advanced or pytorch"),
    "max_epochs": (lambda v: v != 0, "1 or more, or -1 with max_steps"),
    "max_steps": (lambda v: v != 0, "1 or more, or -1"),
    "overfit_batches": (lambda v: v >= 0, "0 or more"),
    "limit_train_batches": (lambda v: v > 0, _BATCHES.format("learn from")),
    "limit_val_batches": (lambda v: v > 0, _BATCHES.format("choose the best checkpoint by")),
    "limit_test_batches": (lambda v: v > 0, _BATCHES.format("test")),
    "limit_predict_batches": (lambda v: False, _NONE + "neither train nor test predicts"),
    "val_check_interval": (lambda v: v != 0 or isinstance(v, float), "1 or more batches, a share, or a time"),
    "check_val_every_n_epoch": (lambda v: v >= 1, "1 or more, or null with val_check_interval"),
    "accumulate_grad_batches": (lambda v: v >= 1, _ONE),
    "gradient_clip_val": (lambda v: v >= 0, "0 or more"),
    "gradient_clip_algorithm": (lambda v: v in ("norm", "value"), "norm or value"),
    "log_every_n_steps": (lambda v: v >= 0, "0 or more"),
    "enable_checkpointing": (bool, "true, because a run exists for its checkpoints"),
    "barebones": (lambda v: not v, "false, because it would keep no checkpoint and no accuracy"),
    "model_registry": (lambda v: False, _NONE + "no model is uploaded"),
}
"""The condition on a flag that is given, and the expectation in words; Lightning judges all other flags."""


def check_flags(settings: Mapping[str, Any], training: bool) -> None:
    """Refuses flags that would break a run, or change nothing.

    Args:
        settings: Settings of the Trainer, plain values; None for those not given.
        training: Whether to check for a training, or only for a test.

    Raises:
        ValueError: If a flag is refused; names the flag, what was expected, and what was given.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    for key, value in given.items():
        holds, expected = RULES.get(key, (lambda v: True, ""))
        if (training or key not in TRAINING) and not holds(value):
            raise _refusal(key, expected, value)
    if training:
        _check_ends(given)


def _check_ends(given: Mapping[str, Any]) -> None:
    """Refuses an unknown number of steps, over which the learning rate falls; ``max_time`` alone does not give it."""
    endless = given.get("max_epochs", -1 if "max_time" in given else None) == -1
    if endless and given.get("max_steps", -1) == -1 and not given.get("fast_dev_run"):
        raise ValueError(
            "trainer.max_epochs: expected a number, or -1 with max_steps, because the learning rate falls over them "
            f"(max_time may end it earlier), got {given.get('max_epochs', 'null')}"
        )
    if "max_time" in given:
        seconds = seconds_of(given["max_time"])
        if seconds <= 0:
            raise _refusal("max_time", "more than no time", given["max_time"])
    for least, most in (("min_epochs", "max_epochs"), ("min_steps", "max_steps")):
        if given.get(most, -1) >= 0 and given.get(least, 0) > given[most]:
            raise _refusal(least, f"at most {most}, {given[most]}", given[least])


def seconds_of(max_time: str | Mapping[str, int]) -> float:
    """The length of ``max_time``.

    Raises:
        ValueError: If it is not a duration.
    """
    try:
        duration = max_time if isinstance(max_time, str) else timedelta(**max_time)
        return Timer(duration).time_remaining() or 0.0
    except Exception as error:  # Lightning lists the forms of a duration
        raise ValueError(f"trainer.max_time: expected DD:HH:MM:SS, got {max_time!r}") from error


def check_nodes(num_nodes: int, environment: ClusterEnvironment | None) -> None:
    """Refuses several nodes if nothing numbers this one; it would wait half an hour for the others.

    Args:
        num_nodes: Number of nodes of the Trainer.
        environment: Its cluster environment.

    Raises:
        ValueError: If Lightning starts the processes and does not know the number of the node.
    """
    if (
        num_nodes > 1
        and isinstance(environment, LightningEnvironment)
        and not {"NODE_RANK", "GROUP_RANK"} & set(os.environ)
    ):
        raise _refusal(
            "num_nodes", "torchrun, SLURM, or NODE_RANK and MASTER_ADDR to say which one this is", num_nodes
        )


def _refusal(key: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"trainer.{key}: expected {expected}, got {value!r}")
