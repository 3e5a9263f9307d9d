"""Metrics of classes that do not wait for a GPU.

On a GPU, torchmetrics reads values of every batch on the host: to count pairs of classes, to find losses that are NaN,
and in some versions to check labels. The cross-entropy of the same batch refuses such labels anyway. On the CPU these
metrics are torchmetrics' own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo.training.lightning import MeanMetric, MulticlassAccuracy, MulticlassConfusionMatrix


class Accuracy(MulticlassAccuracy):
    """Share of right predictions.

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
        self.validate_args = preds.device.type != "cuda"
        super().update(preds, target)


class Confusion(MulticlassConfusionMatrix):
    """Number of samples of each class (row) that were predicted as each class (column), ``[K, K]``.

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
        if preds.device.type != "cuda":
            super().update(preds, target)
            return
        place = target.long() * self.num_classes + preds.argmax(dim=1)  # bincount would wait
        self.confmat.view(-1).index_add_(0, place, torch.ones_like(place))


class MeanLoss(MeanMetric):
    """Weighted mean of losses, without those that are NaN.

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
        if value.device.type != "cuda":
            super().update(value, weight)
            return
        known = ~value.isnan()
        self.mean_value += torch.where(known, value * weight, 0.0)
        self.weight += known * weight
