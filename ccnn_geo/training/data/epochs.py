"""Samples that depend only on (seed, epoch, sample), so that a resumed run sees the same ones as an unbroken run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler

from ccnn_geo.training.seeds import local_seed, mix_seed


class EpochSampler(Sampler):
    """Visits ``(epoch, index)`` in an order that depends on (seed, epoch) only.

    The epoch in the index reaches worker processes too, including persistent ones. Lightning calls :meth:`set_epoch`.
    The processes receive the indices in turn. As in :class:`torch.utils.data.DistributedSampler`, the first indices
    are repeated if the number does not divide evenly.

    Args:
        length: Number of samples.
        seed: Seed of the order.
        num_replicas: Number of processes.
        rank: Rank of this process.
        same_order: Whether every epoch has the order of the first, for a training that only sees the first batches.
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
    """Applies a random transform, seeded by (epoch, sample).

    Args:
        samples: Stored samples; randomness in reading them uses the same seed.
        transform: Draws from torch's global generator, which is restored; None for none.
        seed: Seed of all transforms.
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
