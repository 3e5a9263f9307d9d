"""Samples that depend on (seed, epoch, sample) alone, so that a resumed run sees what an unbroken one sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler

from ccnn_geo.training.seeds import local_seed, mix_seed


class EpochSampler(Sampler):
    """Visits ``(epoch, index)`` in an order that depends on (seed, epoch) only.

    Carrying the epoch in the index reaches worker processes too, persistent ones included. Lightning calls
    :meth:`set_epoch`. The indices are dealt out to the processes in turn; as in
    :class:`torch.utils.data.DistributedSampler` the first ones fill up what does not divide.

    Args:
        length: Number of samples.
        seed: Of the order.
        num_replicas: Number of processes.
        rank: This process.
        same_order: Whether every epoch has the order of the first, of which a training sees the first batches alone.
    """

    def __init__(
        self, length: int, seed: int = 0, num_replicas: int = 1, rank: int = 0, same_order: bool = False
    ) -> None:
        self.length, self.seed, self.num_replicas, self.rank = length, seed, num_replicas, rank
        self.same_order = same_order
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of that epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.length // self.num_replicas)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = 0 if self.same_order else self.epoch
        generator = torch.Generator().manual_seed(mix_seed(self.seed, epoch, "order"))
        order = torch.randperm(self.length, generator=generator).tolist()
        padded = order + order[: len(self) * self.num_replicas - self.length]
        return iter([(self.epoch, i) for i in padded[self.rank :: self.num_replicas]])


class EpochDataset(Dataset):
    """Applies a random transform with a seed of its own for each (epoch, sample).

    Args:
        samples: Stored samples; what is random in reading them is drawn with that seed too.
        transform: Drawn from torch's global generator, which is left as it was; None for none.
        seed: Of all transforms.
    """

    def __init__(self, samples: Sequence[Any], transform: Callable[[Any], Any] | None, seed: int = 0) -> None:
        self.samples, self.transform, self.seed = samples, transform, seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, index = key
        with local_seed(mix_seed(self.seed, epoch, index, "sample")):
            sample = self.samples[index]
            return sample if self.transform is None else self.transform(sample)
