"""Which task it is: as asked for, or as the data say; and its object, of the hyperparameters of a run."""

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
"""The number of a validation by which each chooses the best checkpoint, and whether the best is the largest."""

CLASS_LOSSES = ("cross_entropy",)
OF_CLASSES = ("label_smoothing", "class_weights", "logit_adjustment", "binary")
"""Options of the optimizer that concern classes alone."""


def known_task(hyperparameters: Mapping[str, Any]) -> str:
    """The task of a network's hyperparameters: earlier releases had classes alone, and did not say so."""
    if hyperparameters.get("task"):
        return str(hyperparameters["task"])
    if hyperparameters.get("targets"):
        return Regression.name
    return Segmentation.name if hyperparameters.get("readout") == "node" else Classification.name


def check_task(asked: str | None, of_data: str, dataset: str) -> str:
    """The task of a training.

    Args:
        asked: By ``--task``; None for what the data say.
        of_data: What they say.
        dataset: Their name.

    Raises:
        ValueError: If there is no such task, or the data are for another one.
    """
    if asked is not None and asked not in RANKS:
        raise ValueError(f"--task: expected one of {', '.join(RANKS)}, got {asked!r}")
    if asked is not None and asked != of_data:
        raise ValueError(f"--task: expected {of_data}, which is what {dataset} has truths for, got {asked}")
    return of_data


def check_loss(task: str, optim: Mapping[str, Any]) -> None:
    """Finds options of the loss that the task does not have.

    Args:
        task: Its name.
        optim: ``loss``, and those of :data:`OF_CLASSES`.

    Raises:
        ValueError: Names the option, what was expected, and what was given.
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
    """The task of hyperparameters, which hold ``classes`` or ``targets``.

    Args:
        given: ``task``, ``classes``, ``targets``, ``loss``, ``binary``, ``label_smoothing``, ``logit_adjustment``.
        weights: Of the classes in training, or ``balanced`` for those of the shares.
        shares: Of the classes in the labels of the training; without them no logit is adjusted.

    Raises:
        ValueError: If the task, the targets or an option of the loss is not sound.
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
