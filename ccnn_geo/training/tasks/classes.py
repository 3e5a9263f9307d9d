"""A class per sample, or per point, cell or time step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ccnn_geo._base.sending import sent
from ccnn_geo.nn.build import class_logits, num_outputs
from ccnn_geo.nn.part_groups import category_of_classes, of_truths
from ccnn_geo.training.lightning import Metric
from ccnn_geo.training.metrics import accuracies, class_iou, mean_of_known
from ccnn_geo.training.tasks.base import Evaluation, Task
from ccnn_geo.training.tasks.counts import Accuracy, Confusion, MeanLoss
from ccnn_geo.training.tasks.scene import Scene
from ccnn_geo.training.tasks.scores import Scores, SegmentationScores


@dataclass(frozen=True)
class Classification(Task):
    r"""A class per sample: cross-entropy, with optional label smoothing, class weights and adjusted logits.

    .. math::
        \mathcal L = \frac{\sum_i w_{y_i} \, \mathrm{CE}(\hat y_i + s, y_i)}{\sum_i w_{y_i}}

    Args:
        classes: Names of the classes.
        binary: Whether two classes have a single output, the log-odds of the second.
        label_smoothing: Label smoothing of the cross-entropy in training.
        weights: Weights :math:`w` of the classes in training; None for none.
        shift: Shift :math:`s` of the logits in training; None for none.

    Raises:
        ValueError: If the number of weights differs from that of classes, or a single output is not for two.

    Source: Menon et al., 2021, `"Long-tail Learning via Logit Adjustment" <https://arxiv.org/abs/2007.07314>`_, Eq. 10,
    for :math:`s_c = \tau \log \pi_c`.
    """

    name = "classification"
    best, larger_is_better, training_number = "acc", True, "acc"

    classes: Sequence[str]
    binary: bool = False
    label_smoothing: float = 0.0
    weights: Sequence[float] | None = None
    shift: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if self.weights is not None and len(self.weights) != len(self.classes):
            raise ValueError(
                f"optim.class_weights: expected one for each of {len(self.classes)} classes, got {len(self.weights)}"
            )

    @property
    def outputs(self) -> int:
        return num_outputs(len(self.classes), self.binary)

    @property
    def columns(self) -> tuple[str, ...]:
        return ("loss", "acc", "mean_acc")

    def answers(self, outputs: Tensor) -> Tensor:
        """Logits ``[*, K]``, also for the single output of a binary task."""
        return class_logits(outputs)

    def rows(self, answers: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return answers, y

    def loss(self, answers: Tensor, y: Tensor) -> tuple[Tensor, Tensor | float]:
        weights = None
        if self.weights is not None:
            weights = _row(self.weights, answers)
        if self.shift is not None:
            answers = answers + _row(self.shift, answers)
        total = F.cross_entropy(
            answers, y, weight=weights, label_smoothing=self.label_smoothing, reduction="sum"
        )
        return total, float(y.size(0)) if weights is None else weights[y].sum()

    def training_metric(self) -> Metric:
        return Accuracy(len(self.classes))

    def evaluation(self) -> Evaluation:
        return ClassEvaluation(len(self.classes))

    def shown(self, answers: Tensor) -> Tensor:
        return answers.argmax(dim=1)

    def scores(self, counted: Tensor, loss: float, of: str, scene: Scene | None = None) -> Scores:
        overall, mean_class = accuracies(counted)
        return Scores(overall, mean_class, loss, counted, tuple(self.classes), of)

    def line(self, numbers: Mapping[str, float], validated: bool) -> str:
        text = f"accuracy {100 * numbers['train_acc']:.1f} %"
        return f"{text}  validation {100 * numbers['val_acc']:.1f} %" if validated else text


@dataclass(frozen=True)
class Segmentation(Classification):
    """A class per point, cell, face or time step: as above, for those with a label; -1 means none."""

    name = "segmentation"
    best = "miou"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*super().columns, "miou")

    def answers(self, outputs: Tensor) -> Tensor:
        """Logits ``[n, K]``; for a grid, of its cells in the order of its labels."""
        return class_logits(point_rows(outputs))

    def evaluated(self, answers: Tensor, y: Tensor) -> Tensor:
        """Restricts parts of shapes, ``chair/leg``, to those of the shape's own category, as is usual."""
        category = category_of_classes(self.classes)
        return answers if category is None else of_truths(answers, category, y.reshape(-1))

    def rows(self, answers: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        y = y.reshape(-1)
        known = (y >= 0).nonzero(as_tuple=True)[0]  # one wait for a GPU, not two
        return answers[known], y[known]

    def evaluation(self) -> Evaluation:
        return SegmentationEvaluation(len(self.classes))

    def scores(self, counted: Tensor, loss: float, of: str, scene: Scene | None = None) -> Scores:
        overall, mean_class = accuracies(counted)
        return SegmentationScores(overall, mean_class, loss, counted, tuple(self.classes), of, scene)

    def line(self, numbers: Mapping[str, float], validated: bool) -> str:
        text = super().line(numbers, validated)
        return f"{text}  mean IoU {100 * numbers['val_miou']:.1f} %" if validated else text


class ClassEvaluation(Evaluation):
    """A confusion matrix and the mean cross-entropy.

    Args:
        num_classes: :math:`K`.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.confusion = Confusion(num_classes)
        self.mean_loss = MeanLoss()

    def forward(self, answers: Tensor, y: Tensor) -> None:
        if y.size(0) > 0:
            self.confusion.update(answers, y)
            self.mean_loss.update(F.cross_entropy(answers.float(), y), weight=y.size(0))

    def take(self) -> tuple[Tensor, dict[str, Tensor | float]]:
        """The confusion matrix and ``loss``, ``acc``, ``mean_acc``.

        Raises:
            ValueError: If nothing was counted.
        """
        # compute() gathers from all processes
        matrix = self.confusion.compute().cpu()
        overall, mean_class = accuracies(matrix)
        loss = self.mean_loss.compute()
        self.confusion.reset()
        self.mean_loss.reset()
        return matrix, {"loss": loss, "acc": overall, "mean_acc": mean_class}


class SegmentationEvaluation(ClassEvaluation):
    """Adds the mean intersection over union, ``miou``."""

    def take(self) -> tuple[Tensor, dict[str, Tensor | float]]:
        matrix, found = super().take()
        return matrix, {**found, "miou": mean_of_known(class_iou(matrix))}


def _row(values: Sequence[float], like: Tensor) -> Tensor:
    return sent(torch.tensor(values, dtype=like.dtype), like.device)


def point_rows(outputs: Tensor) -> Tensor:
    """Outputs of cells ``[B, K, *S]`` as rows ``[B * prod(S), K]``; those of points are rows."""
    return outputs.movedim(1, -1).flatten(0, -2) if outputs.dim() > 2 else outputs
