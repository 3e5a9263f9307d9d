"""Finds the neighbours of unchanging samples once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from ccnn_geo._base.pyg import Batch, Data
from ccnn_geo.neighbors import build_neighbors
from ccnn_geo.neighbors.edges import empty_edges, repeat_into

SOURCE, COUNT = "neighbor_source", "neighbor_count"
"""Fields that carry neighbours through a loader: 2 bytes per edge, where ``edge_index`` takes 16."""


class NeighborCache(Dataset):
    """Adds the neighbours of its points to each sample; finds them at the first access and keeps them.

    Once ``max_bytes`` are full, the neighbours of further samples are found at every access. Worker processes share the
    bytes equally. Each keeps the samples that it loads, which in a fixed order are the same in every epoch.
    :func:`restore_edges` turns them into edges of a batch.

    Args:
        samples: Each the same ``Data(pos [N, D])`` at every access.
        num_neighbors: The network's number of neighbours; None for all points of a cloud.
        max_bytes: Memory for neighbours, of a process and its workers.
    """

    def __init__(self, samples: Sequence[Data], num_neighbors: int | None, max_bytes: int) -> None:
        self.samples, self.num_neighbors, self.max_bytes = samples, num_neighbors, max_bytes
        self.num_bytes = 0
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Data:
        data = self.samples[index]
        data[SOURCE], data[COUNT] = self._kept.get(index) or self._find(index, data.pos)
        return data

    def _find(self, index: int, pos: Tensor) -> tuple[Tensor, Tensor]:
        found = build_neighbors(pos, None, self.num_neighbors)
        short = torch.int16 if len(pos) <= torch.iinfo(torch.int16).max + 1 else torch.int32
        answer = found.edge_index[0].to(short), found.degree.to(torch.int32)
        size = sum(tensor.nbytes for tensor in answer)
        worker = get_worker_info()
        if self.num_bytes + size <= self.max_bytes // (worker.num_workers if worker else 1):
            self._kept[index] = answer
            self.num_bytes += size
        return answer


def restore_edges(batch: Batch) -> Batch:
    """Replaces neighbours from :class:`NeighborCache` by ``edge_index [2, E]``; leaves other batches unchanged."""
    if SOURCE not in batch:
        return batch
    source, count = batch[SOURCE], batch[COUNT]
    targets = torch.arange(count.numel(), device=source.device)
    first = batch.ptr[batch.batch]  # stored indices start at 0 in each cloud
    if source.device.type != "cuda":
        edges = empty_edges(source.numel(), source.device)
        repeat_into(targets, count, edges[1])
        repeat_into(first, count, edges[0])
        edges[0] += source
    else:  # repeat_into would wait for the counts
        targets = torch.repeat_interleave(targets, count, output_size=source.numel())
        edges = torch.stack([first[targets] + source, targets])
    batch.edge_index = edges
    del batch[SOURCE], batch[COUNT]
    return batch
