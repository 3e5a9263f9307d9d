"""All distances on the host, in numpy, a thread for each chunk of targets.

Not torch, whose every operation is shared by all threads: they would wait for each other.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.neighbors.chunks import Chunk, make_chunks
from ccnn_geo.neighbors.edges import empty_edges, join
from ccnn_geo.neighbors.products import Products
from ccnn_geo.neighbors.query import Query
from ccnn_geo.neighbors.select import smallest_on_host

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# Pairs whose distances, 8 bytes each, and as many keys stay in a core's cache.
_CHUNK_PAIRS = 1 << 16
# Smaller clouds share chunks, and their factors would cost as much as their distances.
_PRODUCTS_FROM = 128


def search_host(query: Query) -> tuple[Tensor, Tensor]:
    """Edges of every target, target by target, and their number per target."""
    points = _Points(query)
    chunks = list(make_chunks(query, _CHUNK_PAIRS))
    if query.radius is not None:
        found = _in_threads(points.within, chunks)
        return join([s for s, _ in found], [c for _, c in found], query.src.device)

    widths = [points.width(chunk) for chunk in chunks]
    points.prepare(chunks)
    ends = list(accumulate(w * c.num_targets for w, c in zip(widths, chunks, strict=True)))
    edges = empty_edges(ends[-1] if ends else 0, query.src.device)
    count = torch.zeros(query.dst.size(0), dtype=torch.int64)
    source, target = edges.numpy()

    def fill(place: tuple[Chunk, int, int]) -> None:
        chunk, width, end = place
        shape = (chunk.num_targets, width)
        part = slice(end - shape[0] * width, end)
        source[part].reshape(shape)[:] = points.nearest(chunk, width)
        target[part].reshape(shape)[:] = np.arange(chunk.targets.start, chunk.targets.stop)[:, None]
        count[chunk.targets] = width

    _in_threads(fill, list(zip(chunks, widths, ends, strict=True)))
    return edges, count


@dataclass
class _Points:
    """Sources and targets as arrays ``[D, N]``."""

    query: Query

    def __post_init__(self) -> None:
        self.src = np.ascontiguousarray(self.query.src.numpy().T)
        self.dst = np.ascontiguousarray(self.query.dst.numpy().T)
        self.products: dict[int, Products] = {}

    def prepare(self, chunks: Sequence[Chunk]) -> None:
        """Factors of the clouds whose first target has no two neighbours alike; lattices have many."""
        for chunk in chunks:
            if chunk.num_clouds > 1 or chunk.start > 0 or chunk.num_src < _PRODUCTS_FROM:
                continue
            targets = self.dst[:, chunk.first_dst : chunk.first_dst + chunk.num_dst]
            products = Products.of(self.src[:, chunk.sources], targets, self.query.loop)
            if products is not None and products.nearest(slice(0, 1), self.width(chunk))[1]:
                self.products[chunk.first_dst] = products

    def width(self, chunk: Chunk) -> int:
        """Neighbours that any target of the chunk may have."""
        available = max(0, chunk.num_src - (not self.query.loop))
        return available if self.query.k is None else min(self.query.k, available)

    def nearest(self, chunk: Chunk, width: int) -> np.ndarray:
        """The nearest sources of each target, ``[T, width]``."""
        products = self.products.get(chunk.first_dst)
        if products is not None:
            columns, certain = products.nearest(slice(chunk.start, chunk.stop), width)
            if certain:
                return self._sources(chunk, columns[None])
        return self._sources(chunk, smallest_on_host(self.distances(chunk), width))

    def within(self, chunk: Chunk) -> tuple[Tensor, Tensor]:
        """The sources inside the radius, target by target, and their number per target."""
        d2 = self.distances(chunk)
        radius = self.query.radius
        assert radius is not None
        count = np.minimum((d2 <= radius * radius).sum(axis=-1), self.width(chunk)).reshape(-1)
        width = int(count.max(initial=0))
        sources = self._sources(chunk, smallest_on_host(d2, width))
        return torch.from_numpy(sources[np.arange(width) < count[:, None]]), torch.from_numpy(count)

    def distances(self, chunk: Chunk) -> np.ndarray:
        """Squared distances ``[clouds, targets, sources]``, as the definition rounds them; NaN without a loop."""
        shape = (chunk.num_clouds, chunk.stop - chunk.start, chunk.num_src)
        src = self.src[:, chunk.sources].reshape(len(self.src), shape[0], 1, shape[2])
        dst = self.dst[:, chunk.targets].reshape(len(self.dst), shape[0], shape[1], 1)
        total, term = np.empty(shape), np.empty(shape)
        with np.errstate(over="ignore"):  # infinitely far is an answer
            np.square(np.subtract(dst[0], src[0], out=total), out=total)
            for axis in range(1, len(src)):
                np.square(np.subtract(dst[axis], src[axis], out=term), out=term)
                total += term
        if not self.query.loop:
            itself = np.arange(chunk.stop - chunk.start)
            total[:, itself, itself + chunk.start] = np.nan
        return total

    def _sources(self, chunk: Chunk, columns: np.ndarray) -> np.ndarray:
        first = chunk.sources.start + chunk.num_src * np.arange(chunk.num_clouds)
        return (columns + first[:, None, None]).reshape(chunk.num_targets, columns.shape[-1])


def _in_threads(work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    threads = min(torch.get_num_threads(), len(items))
    if threads <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
