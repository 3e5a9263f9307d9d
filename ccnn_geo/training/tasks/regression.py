"""Numbers per sample, or per point, cell or time step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ccnn_geo._base.pyg import Data
from ccnn_geo.nn.targets import Targets
from ccnn_geo.training.lightning import Metric
from ccnn_geo.training.tasks.base import Evaluation, Task
from ccnn_geo.training.tasks.classes import point_rows
from ccnn_geo.training.tasks.errors import Pairs, TargetErrors, TrainingError
from ccnn_geo.training.tasks.scene import Scene
from ccnn_geo.training.tasks.scores import RegressionScores

LOSSES: dict[str, Callable[..., Tensor]] = {"mse": F.mse_loss, "l1": F.l1_loss, "huber": F.huber_loss}
"""Losses of standardised targets, by their name in ``optim.loss``."""


@dataclass(frozen=True)
class Regression(Task):
    r"""One or several numbers per sample or point; NaN marks an unknown truth, which does not count.

    .. math::
        \mathcal L = \frac{1}{|K|} \sum_{(i, t) \in K} \ell\!\left(\hat z_{it}, \frac{y_{it} - m_t}{s_t}\right)

    over the known values :math:`K`; the network predicts :math:`\hat z`, standardised.

    Args:
        targets: Names, units and scale of the targets.
        kind: ``mse``, ``l1`` or ``huber``.

    Raises:
        ValueError: For another kind.
    """

    name = "regression"
    best, larger_is_better, training_number = "error", False, "error"

    targets: Targets
    kind: str = "mse"

    def __post_init__(self) -> None:
        if self.kind not in LOSSES:
            raise ValueError(f"optim.loss: expected one of {', '.join(LOSSES)}, got {self.kind!r}")

    @property
    def outputs(self) -> int:
        return len(self.targets.names)

    @property
    def columns(self) -> tuple[str, ...]:
        return ("loss", "error", *(f"mae_{name}" for name in self.targets.names))

    def answers(self, outputs: Tensor) -> Tensor:
        """Standardised targets ``[n, T]``."""
        return point_rows(outputs)

    def rows(self, answers: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions and truths, both standardised, where there is a truth."""
        y = point_rows(y) if y.dim() > 2 else y.reshape(-1, self.outputs)
        if y.size(0) != answers.size(0):
            raise ValueError(
                f"regression: expected targets [{answers.size(0)}, {self.outputs}], got {list(y.shape)}"
            )
        known = (~y.isnan().all(dim=1)).nonzero(as_tuple=True)[0]  # one wait for a GPU, not two
        return answers[known], self.targets.standardise(y[known])

    def loss(self, answers: Tensor, y: Tensor) -> tuple[Tensor, Tensor | float]:
        known = ~y.isnan()
        if answers.dtype in (torch.float16, torch.bfloat16):
            answers = answers.float()  # targets have more digits
        if answers.device.type == "cuda":  # selecting the known values would wait for their number
            given = torch.where(known, answers, 0.0), y.nan_to_num().to(answers.dtype)
            return LOSSES[self.kind](*given, reduction="sum"), known.sum()
        each = LOSSES[self.kind](answers[known], y[known].to(answers.dtype), reduction="sum")
        return each, float(known.sum())

    def training_metric(self) -> Metric:
        return TrainingError(self.outputs)

    def evaluation(self) -> Evaluation:
        return RegressionEvaluation(self)

    def shown(self, answers: Tensor) -> Tensor:
        return self.targets.restore(answers)

    def scores(
        self, counted: Mapping[str, Any], loss: float, of: str, scene: Scene | None = None
    ) -> RegressionScores:
        return RegressionScores(self.targets, **counted, loss=loss, of=of, scene=scene)

    def line(self, numbers: Mapping[str, float], validated: bool) -> str:
        text = f"error {numbers['train_error']:.3f} std"
        if not validated:
            return text
        maes = [
            f"{name} {numbers[f'val_mae_{name}']:.4g} {unit}".rstrip()
            for name, unit in zip(self.targets.names, self.targets.units, strict=True)
        ]
        return f"{text}  validation {numbers['val_error']:.3f} std (MAE {', '.join(maes)})"


class RegressionEvaluation(Evaluation):
    """Errors of each target, the mean loss, and some pairs of truth and prediction.

    Args:
        task: The regression task.
    """

    def __init__(self, task: Regression) -> None:
        super().__init__()
        self.task = task
        self.errors, self.pairs = TargetErrors(task.outputs), Pairs(task.outputs)

    def forward(self, answers: Tensor, y: Tensor) -> None:
        total, _ = self.task.loss(answers.float(), y)
        self.errors.update(answers, y, total)
        self.pairs.add(y, answers)

    def take(self) -> tuple[dict[str, Any], dict[str, Tensor | float]]:
        """The basis of scores; and ``loss``, ``error`` and ``mae_<name>`` of each target, in its unit.

        ``error`` is the mean absolute error of all values, in standard deviations of their targets.

        Raises:
            ValueError: If nothing was counted.
        """
        # gathers from all processes; torchmetrics gives a single target as a number
        found = {key: value.reshape(-1) for key, value in self.errors.compute().items()}
        self.errors.reset()
        std = torch.tensor(self.task.targets.std, dtype=torch.float64)
        scaled = {key: tuple((std * found[key]).tolist()) for key in ("mae", "rmse", "mae_of_mean")}
        truth, answer = (self.task.targets.restore(part) for part in self.pairs.take())
        counted = {**scaled, "r2": tuple(found["r2"].tolist()), "truth": truth, "answer": answer}
        maes = {
            f"mae_{name}": value for name, value in zip(self.task.targets.names, scaled["mae"], strict=True)
        }
        return counted, {"loss": found["loss"][0], "error": found["error"][0], **maes}


def composition_of(samples: Sequence[Any], task: Task) -> tuple[Tensor, Tensor]:
    """Sums of the features of each sample, and its standardised targets.

    Args:
        samples: ``Data`` with ``x`` and ``y``, or pairs of a grid and its targets.
        task: A regression.

    Shapes:
        - **output:** :math:`(n, C)`, :math:`(n, T)`

    Raises:
        ValueError: If the task is not a regression.
    """
    if not isinstance(task, Regression):
        raise ValueError(f"model.composition: expected regression, got {task.name}")
    pairs = [
        (s.x.sum(dim=0), s.y) if isinstance(s, Data) else (s[0].flatten(1).sum(dim=1), s[1]) for s in samples
    ]
    sums, y = (torch.stack([torch.as_tensor(part) for part in column]) for column in zip(*pairs, strict=True))
    return sums, task.targets.standardise(y.reshape(len(sums), task.outputs))
