"""The interface of all tasks: a loss, an evaluation, and its texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import Module

from ccnn_geo.training.lightning import Metric
from ccnn_geo.training.tasks.scene import Scene
from ccnn_geo.training.tasks.scores import AnyScores


class Evaluation(Module, ABC):
    """Evaluates predictions over batches and processes until the result is taken."""

    @abstractmethod
    def forward(self, answers: Tensor, y: Tensor) -> None:
        """Counts a batch, which may be empty.

        Shapes:
            - **answers:** :math:`(n, K)`; **y:** the result of the task's :meth:`Task.rows`
        """

    @abstractmethod
    def take(self) -> tuple[Any, dict[str, Tensor | float]]:
        """The basis of scores, and numbers by name, the same in all processes; then resets the count."""


class Task(ABC):
    """The meaning of a network's outputs.

    A task is made of plain values, has no parameters, and is the same in all processes.
    """

    name: ClassVar[str]
    """The name of the task for ``--task``."""

    best: ClassVar[str]
    """The score of an evaluation that chooses the best checkpoint."""

    larger_is_better: ClassVar[bool]
    """Whether the largest score is the best."""

    training_number: ClassVar[str]
    """The name of :meth:`training_metric` in ``metrics.csv``, after ``train_``."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Number of outputs of a network per sample or point."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Numbers of an evaluation in ``metrics.csv``, in order."""
        return ("loss", self.best)

    def answers(self, outputs: Tensor) -> Tensor:
        """Predictions to score, from the outputs of a network."""
        return outputs

    def evaluated(self, answers: Tensor, y: Tensor) -> Tensor:
        """Predictions for the evaluation, which may use given knowledge besides the sample."""
        return answers

    @abstractmethod
    def rows(self, answers: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions and truths of everything with a truth, a row each."""

    @abstractmethod
    def loss(self, answers: Tensor, y: Tensor) -> tuple[Tensor, Tensor | float]:
        """The sum of the losses of :meth:`rows` in training, and the weight that divides it for the mean.

        The weight is a tensor if the host would have to wait for its value.
        """

    @abstractmethod
    def training_metric(self) -> Metric:
        """The metric shown for an epoch's training batches, of predictions and truths."""

    @abstractmethod
    def evaluation(self) -> Evaluation:
        """A new evaluation for a validation or a test."""

    @abstractmethod
    def shown(self, answers: Tensor) -> Tensor:
        """The values of :meth:`answers` in a picture: labels ``[n]``, or targets ``[n, T]`` in their units."""

    @abstractmethod
    def scores(self, counted: Any, loss: float, of: str, scene: Scene | None = None) -> AnyScores:
        """Scores from the first result of :meth:`Evaluation.take`.

        Args:
            counted: The result to score.
            loss: The mean loss.
            of: The evaluated weights, in words.
            scene: A sample with a prediction per point.
        """

    @abstractmethod
    def line(self, numbers: Mapping[str, float], validated: bool) -> str:
        """An epoch in words: numbers of :meth:`training_metric` and, if it was validated, of the evaluation.

        Args:
            numbers: Numbers by name, such as ``train_acc`` and ``val_acc``.
            validated: Whether the validation numbers belong to this epoch.
        """
