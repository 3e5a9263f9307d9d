"""Running statistics of batch normalisations, measured again with the current weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ccnn_geo._base.processes import is_distributed


def tracking_norms(network: nn.Module) -> list[_BatchNorm]:
    """The batch normalisations of a network that track statistics and are in training mode."""
    return [
        norm
        for norm in network.modules()
        if isinstance(norm, _BatchNorm) and norm.training and norm.num_batches_tracked is not None
    ]


@contextmanager
def fresh_statistics(network: nn.Module, norms: Sequence[_BatchNorm] | None = None) -> Iterator[None]:
    r"""Replaces the running statistics of a network's norms by means over the batches inside the ``with`` block.

    .. math::
        \hat\mu = \frac1K \sum_{k=1}^K \mu_k(\theta), \qquad \hat\sigma^2 = \frac1K \sum_{k=1}^K \sigma_k^2(\theta)

    Running statistics cover about the last ten batches, each with the weights :math:`\theta` of its time. While
    weights move fast, as in the first epochs, a network in eval mode therefore differs from the trained one. A few
    hundred training samples fix that. Inside the block no gradients are taken, and dropout and all other modules are in
    evaluation mode. Afterwards modes, momenta and batch counts are restored; a norm that no batch has reached keeps its
    statistics. In a distributed run the means are over all processes, and all of them must enter the block.

    Args:
        network: The network, changed in place.
        norms: Norms to measure; by default those in training mode, or all if the network is in eval mode.

    Example:
        >>> network = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
        >>> with fresh_statistics(network):
        ...     _ = network(torch.tensor([[0.0], [2.0]]))
        >>> bool(network[1].running_mean.isclose((network[0].weight + network[0].bias)[0]))
        True

    Source: Wu and Johnson, 2021, "Rethinking 'Batch' in BatchNorm", Sec. 3 (precise batch normalisation).
    """
    if norms is None:
        norms = tracking_norms(network) if network.training else _all_norms(network)
    modes = [(module, module.training) for module in network.modules()]
    before = []
    for norm in norms:
        assert norm.num_batches_tracked is not None
        before.append((norm, norm.momentum, norm.num_batches_tracked.clone()))
    network.eval()
    try:
        for norm in norms:
            norm.train()
            norm.momentum = None  # in torch: the mean over all batches since the count was 0
            norm.num_batches_tracked.zero_()  # type: ignore[union-attr]
        with torch.no_grad():
            yield
        _average_over_processes(norms)
    finally:
        for norm, momentum, count in before:
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)  # type: ignore[union-attr]
        for module, training in modes:
            module.training = training


def _all_norms(network: nn.Module) -> list[_BatchNorm]:
    return [m for m in network.modules() if isinstance(m, _BatchNorm) and m.num_batches_tracked is not None]


@torch.no_grad()
def _average_over_processes(norms: Sequence[_BatchNorm]) -> None:
    if not is_distributed():
        return
    for norm in norms:
        mean, variance, count = norm.running_mean, norm.running_var, norm.num_batches_tracked
        assert mean is not None and variance is not None and count is not None
        share = count.to(mean.dtype).reshape(1)
        sums = torch.cat([mean * share, variance * share, share])
        torch.distributed.all_reduce(sums)
        if sums[-1] > 0:
            for kept, total in zip((mean, variance), sums[:-1].chunk(2), strict=True):
                kept.copy_(total / sums[-1])
