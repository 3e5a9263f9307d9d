"""Accuracies, F1 scores and overlaps of a confusion matrix."""

from __future__ import annotations

import torch
from torch import Tensor


def accuracies(confusion: Tensor) -> tuple[float, float]:
    r"""Overall and mean-class accuracy.

    .. math::
        \frac{\sum_c n_{cc}}{\sum_{cd} n_{cd}}, \qquad
        \operatorname*{mean}_{c:\, n_c > 0} \frac{n_{cc}}{n_c}, \quad n_c = \sum_d n_{cd}

    Classes without a sample do not count in the mean.

    Args:
        confusion: Samples of class (row) that were predicted as class (column).

    Shapes:
        - ``confusion``: :math:`(K, K)`

    Raises:
        ValueError: If the matrix is not square, or empty.
    """
    if confusion.dim() != 2 or confusion.size(0) != confusion.size(1):
        raise ValueError(f"accuracies: expected a confusion matrix [K, K], got {list(confusion.shape)}")
    counts = confusion.sum(dim=1)
    if not bool((counts > 0).any()):
        raise ValueError(f"accuracies: expected at least one sample, got {list(confusion.shape)} zeros")
    hits = confusion.diagonal().double()
    seen = counts > 0
    return float(hits.sum() / counts.sum()), float((hits[seen] / counts[seen]).mean())


def class_f1(confusion: Tensor) -> Tensor:
    r"""F1 score of each class; NaN for a class that occurs in neither truths nor predictions.

    .. math::
        F_c = \frac{2 n_{cc}}{\sum_d n_{cd} + \sum_d n_{dc}}

    Shapes:
        - **confusion:** :math:`(K, K)`; **output:** :math:`(K)` in double precision
    """
    hits = confusion.diagonal().double()
    return 2 * hits / (confusion.sum(dim=1) + confusion.sum(dim=0))


def class_iou(confusion: Tensor) -> Tensor:
    r"""Intersection over union of each class; NaN for a class that occurs in neither truths nor predictions.

    .. math::
        \mathrm{IoU}_c = \frac{n_{cc}}{\sum_d n_{cd} + \sum_d n_{dc} - n_{cc}}

    Shapes:
        - **confusion:** :math:`(K, K)`; **output:** :math:`(K)` in double precision
    """
    hits = confusion.diagonal().double()
    return hits / (confusion.sum(dim=1) + confusion.sum(dim=0) - hits)


def mean_of_known(values: Tensor) -> float:
    """The mean of the values that are not NaN; NaN if all are."""
    return float(torch.nanmean(values))
