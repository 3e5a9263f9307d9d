"""What all tasks have in common: a loss, a count of what is right or wrong, and how it is told."""

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
    """Counts what the answers to batches say, over batches and processes, until it is asked."""

    @abstractmethod
    def forward(self, answers: Tensor, y: Tensor) -> None:
        """Counts a batch, which may be empty.

        Shapes:
            - **answers:** :math:`(n, K)`; **y:** what the task's :meth:`Task.rows` gives
        """

    @abstractmethod
    def take(self) -> tuple[Any, dict[str, Tensor | float]]:
        """What scores are made of, and numbers by name, the same in all processes; then counts anew."""


class Task(ABC):
    """What the outputs of a network are to be.

    A task is made of plain values, has no parameters, and is the same in all processes.
    """

    name: ClassVar[str]
    """What ``--task`` calls it."""

    best: ClassVar[str]
    """The number of an evaluation that chooses the best checkpoint."""

    larger_is_better: ClassVar[bool]
    """Whether the best is the largest."""

    training_number: ClassVar[str]
    """What :meth:`training_metric` is called in ``metrics.csv``, after ``train_``."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Outputs of a network per sample or point."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Numbers of an evaluation that ``metrics.csv`` has, in order."""
        return ("loss", self.best)

    def answers(self, outputs: Tensor) -> Tensor:
        """What is scored, of the outputs of a network."""
        return outputs

    def evaluated(self, answers: Tensor, y: Tensor) -> Tensor:
        """Answers as they are evaluated: where something besides the sample is given, they may know it."""
        return answers

    @abstractmethod
    def rows(self, answers: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Answers and truths of what has one, a row each."""

    @abstractmethod
    def loss(self, answers: Tensor, y: Tensor) -> tuple[Tensor, Tensor | float]:
        """The sum of the losses of :meth:`rows` in training, and the weight by which it is divided for the mean.

        The weight is a tensor where its value would have to be waited for.
        """

    @abstractmethod
    def training_metric(self) -> Metric:
        """What is shown of an epoch's training batches, of answers and truths."""

    @abstractmethod
    def evaluation(self) -> Evaluation:
        """A new count of a validation or a test."""

    @abstractmethod
    def shown(self, answers: Tensor) -> Tensor:
        """What a picture of :meth:`answers` shows: labels ``[n]``, or targets ``[n, T]`` in their units."""

    @abstractmethod
    def scores(self, counted: Any, loss: float, of: str, scene: Scene | None = None) -> AnyScores:
        """Scores of what :meth:`Evaluation.take` gave first.

        Args:
            counted: It.
            loss: The mean loss.
            of: The weights that were evaluated, in words.
            scene: A sample with an answer per point.
        """

    @abstractmethod
    def line(self, numbers: Mapping[str, float], validated: bool) -> str:
        """An epoch in words: numbers of :meth:`training_metric` and, where it was validated, of the evaluation.

        Args:
            numbers: By name, such as ``train_acc`` and ``val_acc``.
            validated: Whether those of a validation are of this epoch.
        """
