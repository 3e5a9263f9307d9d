"""Errors of standardised targets, over batches and processes."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo.training.lightning import Metric

PER_BATCH, IN_ALL = 256, 5000
"""Pairs of truth and prediction to keep for a picture, evenly spread over a batch."""


class TargetErrors(Metric):
    r"""Absolute and squared errors of each of several targets; NaN marks an unknown truth.

    .. math::
        \mathrm{MAE} = \frac1n \sum_i |\hat z_i - z_i|, \qquad
        \mathrm{RMSE} = \sqrt{\tfrac1n \sum_i (\hat z_i - z_i)^2}, \qquad
        R^2 = 1 - \frac{\sum_i (\hat z_i - z_i)^2}{\sum_i (z_i - \bar z)^2}

    The metrics of torchmetrics do not accept partly known targets. Sums are in double precision.

    Args:
        num_targets: :math:`T`.
    """

    full_state_update = False

    count: Tensor
    absolute: Tensor
    square: Tensor
    spread: Tensor
    first: Tensor
    second: Tensor
    loss: Tensor

    def __init__(self, num_targets: int) -> None:
        super().__init__()
        for name in ("count", "absolute", "square", "spread", "first", "second"):
            self.add_state(name, torch.zeros(num_targets, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("loss", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, answers: Tensor, truth: Tensor, loss: Tensor | float = 0.0) -> None:
        """Counts a batch.

        Args:
            answers: Standardised predictions.
            truth: Standardised truths, with mean 0 over the training set.
            loss: Sum of the losses of the known values.

        Shapes:
            - **answers, truth:** :math:`(n, T)`
        """
        known = ~truth.isnan()
        z = truth.detach().double().nan_to_num()
        error = (answers.detach().double() - z) * known
        self.count += known.sum(0)
        self.absolute += error.abs().sum(0)
        self.square += error.square().sum(0)
        self.spread += z.abs().sum(0)
        self.first += z.sum(0)
        self.second += z.square().sum(0)
        self.loss += loss.detach().double() if isinstance(loss, Tensor) else loss

    def compute(self) -> dict[str, Tensor]:
        """``mae``, ``rmse``, ``r2`` and ``mae_of_mean`` ``[T]``, and ``loss`` and ``error`` of all values, on the host.

        Values of a target without truths are NaN; ``error`` is the mean absolute error.

        Raises:
            ValueError: If nothing was counted.
        """
        if not bool(self.count.sum() > 0):
            raise ValueError("regression: expected at least one known target in the split, got none")
        count = self.count.cpu()
        variation = (self.second - self.first.square() / self.count).cpu()
        r2 = 1 - self.square.cpu() / variation
        # identical truths leave only rounding errors
        alike = variation <= 1e-12 * self.second.cpu()
        return {
            "mae": self.absolute.cpu() / count,
            "rmse": (self.square.cpu() / count).sqrt(),
            "r2": torch.where(alike, torch.full_like(r2, torch.nan), r2),
            "mae_of_mean": self.spread.cpu() / count,
            "loss": self.loss.cpu() / count.sum(),
            "error": self.absolute.cpu().sum() / count.sum(),
        }


class TrainingError(TargetErrors):
    """The mean absolute error of all known values."""

    def compute(self) -> Tensor:  # type: ignore[override]
        return self.absolute.sum() / self.count.sum()


class Pairs:
    """Some truths and their predictions, of this process.

    Args:
        num_targets: :math:`T`.
    """

    def __init__(self, num_targets: int) -> None:
        self.num_targets = num_targets
        self._kept: list[Tensor] = []

    def add(self, truth: Tensor, answers: Tensor) -> None:
        """Keeps some rows of a batch ``[n, T]``, as long as there is room."""
        room = min(PER_BATCH, IN_ALL - sum(part.size(1) for part in self._kept))
        if room > 0:
            step = max(1, -(-truth.size(0) // room))
            both = torch.stack([truth.detach().float(), answers.detach().float()])
            self._kept.append(both[:, ::step].clone())  # on their device: a copy to the host would wait

    def take(self) -> tuple[Tensor, Tensor]:
        """Returns truths and predictions ``[n, T]`` on the host, and clears them."""
        kept = [part.cpu() for part in self._kept]
        both = torch.cat([torch.zeros(2, 0, self.num_targets), *kept], dim=1)
        self._kept = []
        return both[0], both[1]
