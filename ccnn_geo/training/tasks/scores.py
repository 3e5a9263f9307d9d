"""Scores of a network on one split: as numbers, in words, and for pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor

from ccnn_geo.nn.targets import Targets
from ccnn_geo.training.metrics import accuracies, class_f1, class_iou, mean_of_known
from ccnn_geo.training.tasks.scene import Scene


@dataclass(frozen=True)
class Scores:
    """Accuracies on one split, as fractions.

    Args:
        accuracy: Accuracy over all samples.
        mean_class_accuracy: Mean of the accuracies of the classes.
        loss: Mean cross-entropy.
        confusion: Samples of class (row) that were predicted as class (column), ``[K, K]``.
        classes: Names of the classes.
        of: The evaluated weights, in words.

    Example:
        >>> scores = Scores(0.875, 0.875, 0.4, torch.tensor([[3, 1], [0, 4]]), ("cup", "mug"))
        >>> {key: round(value, 4) for key, value in scores.numbers().items()}
        {'accuracy': 0.875, 'mean_class_accuracy': 0.875, 'loss': 0.4, 'macro_f1': 0.873}
        >>> scores.confusion.diagonal() / scores.confusion.sum(dim=1)  # accuracy of each class
        tensor([0.7500, 1.0000])
    """

    picture: ClassVar[str] = "confusion"
    """The name of its picture."""

    accuracy: float
    mean_class_accuracy: float
    loss: float
    confusion: Tensor
    classes: tuple[str, ...]
    of: str = ""

    @property
    def macro_f1(self) -> float:
        """Mean of the classes' F1 scores, see :func:`~ccnn_geo.training.metrics.class_f1`."""
        return mean_of_known(class_f1(self.confusion))

    def numbers(self) -> dict[str, Any]:
        """The values for ``results.json``."""
        kept = {key: getattr(self, key) for key in ("accuracy", "mean_class_accuracy", "loss")}
        return {**kept, "macro_f1": self.macro_f1}

    def summary(self) -> str:
        """A line of text."""
        return (
            f"accuracy {100 * self.accuracy:.1f} %, "
            f"mean-class accuracy {100 * self.mean_class_accuracy:.1f} %"
        )

    def title(self) -> str:
        """The numbers above a picture."""
        return f"{100 * self.accuracy:.1f} %"


@dataclass(frozen=True)
class SegmentationScores(Scores):
    """Scores of a class per point, cell or time step.

    Args:
        scene: A sample with its truth and prediction, for a picture; None for none.
        whole: Confusion at the full resolution of scans: points of class (row) that were predicted as class (column);
            None if whole scans were not predicted.

    Example:
        >>> scores = SegmentationScores(0.875, 0.875, 0.4, torch.tensor([[3, 1], [0, 4]]), ("ground", "tree"))
        >>> scores.iou
        {'ground': 0.75, 'tree': 0.8}
        >>> scores.summary()
        'accuracy 87.5 %, mean-class accuracy 87.5 %, mean IoU 77.5 %'
    """

    scene: Scene | None = None
    whole: Tensor | None = None

    @property
    def full_resolution(self) -> SegmentationScores | None:
        """Scores over every labelled point of whole scans, thinned or not."""
        if self.whole is None:
            return None
        return SegmentationScores(*accuracies(self.whole), self.loss, self.whole, self.classes, self.of)

    @property
    def iou(self) -> dict[str, float | None]:
        """Intersection over union of each class; None for a class that occurs in neither truths nor predictions."""
        values = class_iou(self.confusion).tolist()
        pairs = zip(self.classes, values, strict=True)
        return {name: None if value != value else value for name, value in pairs}

    @property
    def mean_iou(self) -> float:
        """Mean over the classes that occur."""
        return mean_of_known(class_iou(self.confusion))

    def numbers(self) -> dict[str, Any]:
        found = {**super().numbers(), "mean_iou": self.mean_iou, "iou": self.iou}
        whole = self.full_resolution
        return found if whole is None else {**found, "full_resolution": whole.numbers()}

    def summary(self) -> str:
        own = f"{super().summary()}, mean IoU {100 * self.mean_iou:.1f} %"
        whole = self.full_resolution
        return own if whole is None else f"{own}; at full resolution: {whole.summary()}"

    def title(self) -> str:
        return f"mean IoU {100 * self.mean_iou:.1f} %"


@dataclass(frozen=True)
class RegressionScores:
    """Errors on one split, in the unit of each target.

    Args:
        targets: The predicted targets.
        mae: Mean absolute error of each target.
        rmse: Root of the mean squared error.
        r2: Coefficient of determination; NaN if all truths are equal.
        mae_of_mean: Mean absolute error of always predicting the mean of the training set.
        loss: Mean loss, of standardised targets.
        truth: Some truths, ``[n, T]``; NaN where they are not known.
        answer: The predictions for them, ``[n, T]``.
        of: The evaluated weights, in words.
        scene: A sample with its truth and prediction, for a picture; None for none.

    Example:
        >>> targets = Targets(("energy",), ("eV",), (0.0,), (1.0,))
        >>> pairs = torch.tensor([[1.0]]), torch.tensor([[1.5]])
        >>> RegressionScores(targets, (0.5,), (0.6,), (0.9,), (2.0,), 0.1, *pairs).summary()
        'energy: MAE 0.5 eV, RMSE 0.6, R2 0.9 (always the mean: 2)'
    """

    picture: ClassVar[str] = "parity"

    targets: Targets
    mae: tuple[float, ...]
    rmse: tuple[float, ...]
    r2: tuple[float, ...]
    mae_of_mean: tuple[float, ...]
    loss: float
    truth: Tensor
    answer: Tensor
    of: str = ""
    scene: Scene | None = None

    def numbers(self) -> dict[str, Any]:
        """The values for ``results.json``; null for an unknown number."""
        kept = {key: getattr(self, key) for key in ("mae", "rmse", "r2", "mae_of_mean")}
        found = {
            name: {"unit": unit, **{key: _known(values[i]) for key, values in kept.items()}}
            for i, (name, unit) in enumerate(zip(self.targets.names, self.targets.units, strict=True))
        }
        return {"loss": self.loss, "targets": found}

    def summary(self) -> str:
        """A line of text."""
        told = []
        for i, (name, unit) in enumerate(zip(self.targets.names, self.targets.units, strict=True)):
            if math.isnan(self.mae[i]):
                told.append(f"{name}: no value is known")
                continue
            mae = f"{self.mae[i]:.4g} {unit}".rstrip()
            told.append(
                f"{name}: MAE {mae}, RMSE {self.rmse[i]:.4g}, R2 {self.r2[i]:.4g} "
                f"(always the mean: {self.mae_of_mean[i]:.4g})"
            )
        return "; ".join(told)

    def title(self) -> str:
        """The numbers above a picture."""
        pairs = zip(self.mae, self.targets.units, strict=True)
        return "MAE " + ", ".join(f"{mae:.4g} {unit}".rstrip() for mae, unit in pairs)


AnyScores: TypeAlias = Scores | RegressionScores


def _known(value: float) -> float | None:
    return value if torch.tensor(value).isfinite() else None
