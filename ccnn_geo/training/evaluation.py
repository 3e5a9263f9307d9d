"""What validation and test count: a confusion matrix and the mean loss, over batches and processes."""

from __future__ import annotations

from torch import Tensor
from torch.nn import Module
from torch.nn import functional as F

from ccnn_geo.training.lightning import MeanMetric, MulticlassConfusionMatrix
from ccnn_geo.training.metrics import accuracies


class Evaluation(Module):
    """Counts what the logits of batches say, until it is asked.

    Args:
        num_classes: :math:`K`.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.confusion = MulticlassConfusionMatrix(num_classes)
        self.mean_loss = MeanMetric()

    def forward(self, logits: Tensor, y: Tensor) -> None:
        r"""Counts a batch, which may have no labels.

        Shapes:
            - **logits:** :math:`(n, K)`; **y:** :math:`(n)`
        """
        if y.size(0) > 0:
            self.confusion.update(logits, y)
            self.mean_loss.update(F.cross_entropy(logits.float(), y), weight=y.size(0))

    def take(self) -> tuple[Tensor, dict[str, Tensor | float]]:
        """The confusion matrix and ``loss``, ``acc``, ``mean_acc``, the same in all processes; then counts anew.

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
