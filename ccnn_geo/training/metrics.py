"""Accuracies of a confusion matrix."""

from __future__ import annotations

from torch import Tensor


def accuracies(confusion: Tensor) -> tuple[float, float]:
    r"""Overall and mean-class accuracy.

    .. math::
        \frac{\sum_c n_{cc}}{\sum_{cd} n_{cd}}, \qquad
        \operatorname*{mean}_{c:\, n_c > 0} \frac{n_{cc}}{n_c}, \quad n_c = \sum_d n_{cd}

    Classes without a sample do not count in the mean.

    Args:
        confusion: Samples of class (row) that were taken for class (column).

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
