"""All pairs of a query, cut into pieces that fit the cache."""

from collections.abc import Iterator
from dataclasses import dataclass

from ccnn_geo.neighbors.query import Query


@dataclass(frozen=True)
class Chunk:
    """Equal-sized clouds, starting at the given points, and the range of targets to search for."""

    num_clouds: int
    first_src: int
    num_src: int
    first_dst: int
    num_dst: int
    start: int
    stop: int

    @property
    def sources(self) -> slice:
        """The sources of the clouds."""
        return slice(self.first_src, self.first_src + self.num_clouds * self.num_src)

    @property
    def targets(self) -> slice:
        """The targets to search for: some of one cloud, or all of several."""
        first = self.first_dst + self.start
        return slice(first, first + self.num_targets)

    @property
    def num_targets(self) -> int:
        """Number of targets."""
        return self.num_clouds * (self.stop - self.start)


def make_chunks(query: Query, pairs: int) -> Iterator[Chunk]:
    """Chunks of at most ``pairs`` pairs of points (but at least one target), in the order of the targets."""
    for group in _groups(query, pairs):
        first_src, last_src, first_dst, last_dst = group[0]
        num_src, num_dst = last_src - first_src, last_dst - first_dst
        rows = num_dst if len(group) > 1 else max(1, pairs // max(num_src, 1))
        for start in range(0, num_dst, max(rows, 1)):
            stop = min(start + rows, num_dst)
            yield Chunk(len(group), first_src, num_src, first_dst, num_dst, start, stop)


def _groups(query: Query, pairs: int) -> Iterator[list[tuple[int, int, int, int]]]:
    """Runs of consecutive clouds of equal size that fit into one chunk together."""
    group: list[tuple[int, int, int, int]] = []
    for cloud in query.clouds:
        size = (cloud[1] - cloud[0], cloud[3] - cloud[2])
        if group:
            same = size == (group[0][1] - group[0][0], group[0][3] - group[0][2])
            if not same or (len(group) + 1) * size[0] * size[1] > pairs:
                yield group
                group = []
        group.append(cloud)
    if group:
        yield group
