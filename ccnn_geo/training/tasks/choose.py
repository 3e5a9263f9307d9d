"""Chooses the task, as requested or from the data, and makes it from the hyperparameters of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

from ccnn_geo.nn.targets import Targets
from ccnn_geo.training.optim_arguments import BALANCED
from ccnn_geo.training.tasks.base import Task
from ccnn_geo.training.tasks.classes import Classification, Segmentation
from ccnn_geo.training.tasks.regression import LOSSES, Regression

RANKS = {kind.name: (kind.best, kind.larger_is_better) for kind in (Classification, Segmentation, Regression)}
"""The validation score that chooses the best checkpoint of each task, and whether the largest is the best."""

CLASS_LOSSES = ("cross_entropy",)
OF_CLASSES = ("label_smoothing", "class_weights", "logit_adjustment", "binary")
"""Options of the optimizer for classes only."""


def known_task(hyperparameters: Mapping[str, Any]) -> str:
    """The task of a network's hyperparameters; earlier releases only had classes and did not store it."""
    if hyperparameters.get("task"):
        return str(hyperparameters["task"])
    if hyperparameters.get("targets"):
        return Regression.name
    return Segmentation.name if hyperparameters.get("readout") == "node" else Classification.name


def check_task(asked: str | None, of_data: str, dataset: str) -> str:
    """The task of a training.

    Args:
        asked: The value of ``--task``; None to follow the data.
        of_data: The task of the data.
        dataset: Name of the data set.

    Raises:
        ValueError: If there is no such task, or the data are for a different one.
    """
    if asked is not None and asked not in RANKS:
        raise ValueError(f"--task: expected one of {', '.join(RANKS)}, got {asked!r}")
    if asked is not None and asked != of_data:
        raise ValueError(f"--task: expected {of_data}, the task of {dataset}, got {asked}")
    return of_data


def check_loss(task: str, optim: Mapping[str, Any]) -> None:
    """Refuses options of the loss that do not fit the task.

    Args:
        task: Name of the task.
        optim: ``loss``, and those of :data:`OF_CLASSES`.

    Raises:
        ValueError: If one does not fit; names the option, what was expected, and what was given.
    """
    losses = tuple(LOSSES) if task == Regression.name else CLASS_LOSSES
    if optim.get("loss") is not None and optim["loss"] not in losses:
        raise ValueError(
            f"optim.loss: expected one of {', '.join(losses)} for {task}, or null, got {optim['loss']!r}"
        )
    given = [key for key in OF_CLASSES if optim.get(key)]
    if task == Regression.name and given:
        raise ValueError(f"optim.{given[0]}: expected none for regression, got {optim[given[0]]!r}")


def make_task(
    given: Mapping[str, Any],
    weights: str | Sequence[float] | None = None,
    shares: Sequence[float] | None = None,
) -> Task:
    """Makes the task from hyperparameters with ``classes`` or ``targets``.

    Args:
        given: ``task``, ``classes``, ``targets``, ``loss``, ``binary``, ``label_smoothing``, ``logit_adjustment``.
        weights: Weights of the classes in training, or ``balanced`` to derive them from the shares.
        shares: Shares of the classes in the training labels; without them no logit is adjusted.

    Raises:
        ValueError: If the task, the targets or an option of the loss is not valid.
    """
    name = known_task(given)
    if name not in RANKS:
        raise ValueError(f"task: expected one of {', '.join(RANKS)}, got {name!r}")
    check_loss(name, given)
    if name == Regression.name:
        return Regression(Targets.from_plain(given.get("targets") or {}), given.get("loss") or "mse")
    kind = Segmentation if name == Segmentation.name else Classification
    shift = None
    if shares is not None:
        shift = [given.get("logit_adjustment", 0.0) * log(share) for share in shares]
        weights = [1 / (len(shares) * share) for share in shares] if weights == BALANCED else weights
    assert not isinstance(weights, str), "balanced weights come with shares"
    return kind(
        tuple(given["classes"]),
        given.get("binary", False),
        given.get("label_smoothing", 0.0),
        weights,
        shift,
    )
