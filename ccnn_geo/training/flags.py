"""Which flags of Lightning's Trainer cannot be taken, said by name before anything is loaded."""

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
"""Flags that say something of training alone: ``test`` does not have them."""

_PRECISIONS = ("32", "32-true", "64", "64-true", "bf16", "bf16-mixed", "16", "16-mixed")
_HALF = "32-true, 64-true, bf16-mixed or 16-mixed, for parameters stay in float32 or float64"
_BATCHES = "more than 0, or there is nothing to {}"
_ONE = "1 or more"
_NONE = "nothing: "

_Rule = tuple[Callable[[Any], bool], str]

RULES: dict[str, _Rule] = {
    "precision": (lambda v: str(v) in _PRECISIONS, _HALF),
    "strategy": (
        lambda v: v in ("auto", "single_device", "ddp") or str(v).startswith("ddp_find_unused_parameters_"),
        "auto, single_device or ddp, of which every process runs all of the command and holds the whole network",
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
    "enable_checkpointing": (bool, "true: checkpoints are what a run is for"),
    "barebones": (lambda v: not v, "false: it would keep no checkpoint and no accuracy"),
    "model_registry": (lambda v: False, _NONE + "no model is uploaded"),
}
"""What a flag must satisfy if it is given, and what is expected otherwise; all others are Lightning's to judge."""


def check_flags(settings: Mapping[str, Any], training: bool) -> None:
    """Refuses flags that would break a run, or change nothing.

    Args:
        settings: Of the Trainer, plain values; None for what was not given.
        training: Whether it is to train, or only to test.

    Raises:
        ValueError: Names the flag, what was expected, and what was given.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    for key, value in given.items():
        holds, expected = RULES.get(key, (lambda v: True, ""))
        if (training or key not in TRAINING) and not holds(value):
            raise _refusal(key, expected, value)
    if training:
        _check_ends(given)


def _check_ends(given: Mapping[str, Any]) -> None:
    """The learning rate falls over a number of steps that must be known: ``max_time`` alone does not say it."""
    endless = given.get("max_epochs", -1 if "max_time" in given else None) == -1
    if endless and given.get("max_steps", -1) == -1 and not given.get("fast_dev_run"):
        raise ValueError(
            "trainer.max_epochs: expected a number, or -1 with max_steps, over which the learning rate falls "
            f"(max_time may end it before), got {given.get('max_epochs', 'null')}"
        )
    if "max_time" in given:
        seconds = seconds_of(given["max_time"])
        if seconds <= 0:
            raise _refusal("max_time", "more than no time", given["max_time"])
    for least, most in (("min_epochs", "max_epochs"), ("min_steps", "max_steps")):
        if given.get(most, -1) >= 0 and given.get(least, 0) > given[most]:
            raise _refusal(least, f"at most {most}, {given[most]}", given[least])


def seconds_of(max_time: str | Mapping[str, int]) -> float:
    """How long ``max_time`` is.

    Raises:
        ValueError: If it is no duration.
    """
    try:
        duration = max_time if isinstance(max_time, str) else timedelta(**max_time)
        return Timer(duration).time_remaining() or 0.0
    except Exception as error:  # Lightning's words for what a duration is
        raise ValueError(f"trainer.max_time: expected DD:HH:MM:SS, got {max_time!r}") from error


def check_nodes(num_nodes: int, environment: ClusterEnvironment | None) -> None:
    """Refuses several nodes where nothing says which one this is: it would wait for the others for half an hour.

    Args:
        num_nodes: Of the Trainer.
        environment: Its cluster environment.

    Raises:
        ValueError: If Lightning starts the processes and knows no node.
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
