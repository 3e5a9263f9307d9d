"""Counts of right and wrong classes: torchmetrics' own, but that on a GPU nobody waits for them.

There torchmetrics asks for values of every batch: to count them, for losses that are NaN, in some versions for labels
that are no classes, of which the cross-entropy of the same batch says as much. On the CPU, where asking is free, all is
left to torchmetrics.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo.training.lightning import MeanMetric, MulticlassAccuracy, MulticlassConfusionMatrix


class Accuracy(MulticlassAccuracy):
    """Share of right answers.

    Args:
        num_classes: :math:`K`.

    Shapes:
        - **update:** logits :math:`(n, K)` and labels :math:`(n)`

    Example:
        >>> accuracy = Accuracy(3)
        >>> accuracy.update(torch.eye(3), torch.tensor([0, 1, 1]))
        >>> accuracy.compute()
        tensor(0.6667)
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, average="micro")

    def update(self, preds: Tensor, target: Tensor) -> None:
        self.validate_args = preds.device.type == "cpu"
        super().update(preds, target)


class Confusion(MulticlassConfusionMatrix):
    """Samples of class (row) that were taken for class (column), ``[K, K]``.

    Args:
        num_classes: :math:`K`.

    Shapes:
        - **update:** logits :math:`(n, K)` and labels :math:`(n)`

    Example:
        >>> confusion = Confusion(2)
        >>> confusion.update(torch.eye(2), torch.tensor([0, 0]))
        >>> confusion.compute()
        tensor([[1, 1],
                [0, 0]])
    """

    confmat: Tensor

    def update(self, preds: Tensor, target: Tensor) -> None:
        if preds.device.type == "cpu":
            super().update(preds, target)
            return
        place = target.long() * self.num_classes + preds.argmax(dim=1)  # bincount would wait
        self.confmat.view(-1).index_add_(0, place, torch.ones_like(place))


class MeanLoss(MeanMetric):
    """The mean of losses, each with a weight; one that is NaN does not count.

    Example:
        >>> mean = MeanLoss()
        >>> for loss, weight in ((1.0, 3), (2.0, 1)):
        ...     mean.update(torch.tensor(loss), weight)
        >>> mean.compute()
        tensor(1.2500)
    """

    mean_value: Tensor
    weight: Tensor

    def update(self, value: Tensor, weight: float) -> None:  # type: ignore[override]
        if value.device.type == "cpu":
            super().update(value, weight)
            return
        known = ~value.isnan()
        self.mean_value += torch.where(known, value * weight, 0.0)
        self.weight += known * weight
