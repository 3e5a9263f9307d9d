"""Classes of parts by the category of their shape: ``chair/leg`` is a class of chairs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ccnn_geo._base.sending import sent

SIGN = "/"
"""Separator between the names of a category and of a part."""


def category_of_classes(classes: Sequence[str]) -> Tensor | None:
    """Index of each class's category, ``[K]``; None if the names give none, or only one.

    Example:
        >>> category_of_classes(["chair/leg", "chair/seat", "cup/handle"])
        tensor([0, 0, 1])
        >>> category_of_classes(["ground", "tree"]) is None
        True
    """
    if not all(SIGN in name for name in classes):
        return None
    names = [name.rpartition(SIGN)[0] for name in classes]
    known = list(dict.fromkeys(names))
    return torch.tensor([known.index(name) for name in names]) if len(known) > 1 else None


def of_truths(logits: Tensor, category: Tensor, y: Tensor) -> Tensor:
    """Masks logits of classes outside the category of the label, as if that category were known.

    Points without a label (-1) keep their logits.

    Shapes:
        ``logits [N, K]``, ``category [K]``, ``y [N]`` -> ``[N, K]``
    """
    category = sent(category, logits.device)
    other = (category[y.clamp(min=0)].unsqueeze(1) != category) & (y >= 0).unsqueeze(1)
    return logits.masked_fill(other, -torch.inf)


def of_one_category(logits: Tensor, category: Tensor) -> Tensor:
    r"""Masks logits of classes outside the most probable category of one shape.

    .. math::
        c^* = \arg\max_c \sum_i \sum_{k \in c} p_{ik}

    Shapes:
        ``logits [N, K]``, ``category [K]`` -> ``[N, K]``
    """
    category = category.to(logits.device)
    probability = logits.double().softmax(dim=1).sum(dim=0)
    total = torch.zeros(int(category.max()) + 1, dtype=probability.dtype, device=logits.device)
    best = total.index_add(0, category, probability).argmax()
    return logits.masked_fill(category != best, -torch.inf)
