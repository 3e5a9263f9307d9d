"""Holds out a share of the training set."""

import torch
from torch import Tensor


def stratified_split(y: Tensor, fraction: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Splits samples at random, with the classes in the same proportions in both sets.

    For validation: ``keep, held_out = stratified_split(train.y, 0.1)``, then ``train[keep]`` and
    ``train[held_out]``. Keep the test set for the end.

    Args:
        y: class of each sample.
        fraction: share of each class to hold out, rounded; a class of two or more samples gives and keeps
            at least one, a single sample is kept.
        seed: the same seed gives the same split on every machine.

    Shapes:
        ``y [N]`` -> indices ``keep [N - M]`` and ``held_out [M]``, ascending, together all of 0..N-1.

    Raises:
        ValueError: unless 0 < fraction < 1 and y has one dimension.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be between 0 and 1, got {fraction}")
    if y.dim() != 1:
        raise ValueError(f"y must be [N], got {list(y.shape)}")
    y = y.cpu()
    generator = torch.Generator().manual_seed(seed)
    held_out = torch.zeros(len(y), dtype=torch.bool)
    for label in y.unique():
        members = (y == label).nonzero().flatten()
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        held_out[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()
