"""All pairs on a device, cut into few pieces: ragged clouds side by side, filled up with points that are none."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ccnn_geo.neighbors.query import Query

MOST_FILLED = 2
"""How many times the pairs that count a piece may hold: fewer launches against arithmetic for nothing."""


@dataclass(frozen=True)
class Piece:
    """Clouds ``first`` to ``last - 1``, their sources, and their targets ``start`` to ``stop - 1``.

    Attributes:
        num_src: Sources of the largest of the clouds.
        even: Whether all have as many sources, and all have these targets.
    """

    first: int
    last: int
    num_src: int
    start: int
    stop: int
    even: bool

    @property
    def num_pairs(self) -> int:
        """Pairs that it holds."""
        return (self.last - self.first) * self.num_src * (self.stop - self.start)


def make_pieces(query: Query, pairs: int, without: Collection[int] = ()) -> Iterator[Piece]:
    """Pieces of at most ``pairs`` pairs of points (but at least one target), without some clouds.

    Clouds without sources, or without targets, are in none.
    """
    group: list[tuple[int, int, int]] = []
    for number, (first_src, last_src, first_dst, last_dst) in enumerate(query.clouds):
        sources, targets = last_src - first_src, last_dst - first_dst
        if number in without or sources == 0 or targets == 0:
            yield from _pieces(group, pairs)
            group = []
            continue
        more = [*group, (number, sources, targets)]
        held = len(more) * max(s for _, s, _ in more) * max(t for _, _, t in more)
        if group and held > min(pairs, MOST_FILLED * sum(s * t for _, s, t in more)):
            yield from _pieces(group, pairs)
            more = more[-1:]
        group = more
    yield from _pieces(group, pairs)


def _pieces(group: list[tuple[int, int, int]], pairs: int) -> Iterator[Piece]:
    if not group:
        return
    sources, targets = max(s for _, s, _ in group), max(t for _, _, t in group)
    rows, even = max(1, pairs // (len(group) * sources)), len({(s, t) for _, s, t in group}) == 1
    for start in range(0, targets, rows):
        yield Piece(group[0][0], group[-1][0] + 1, sources, start, min(start + rows, targets), even)


def members(offsets: Tensor, piece: Piece, start: int, stop: int, nobody: int) -> Tensor:
    """Points ``start`` to ``stop - 1`` of each of the piece's clouds, ``nobody`` beyond their ends.

    Shapes:
        - ``offsets``: ``[B + 1]``; result: ``[last - first, stop - start]``
    """
    first, end = offsets[piece.first : piece.last, None], offsets[piece.first + 1 : piece.last + 1, None]
    point = first + torch.arange(start, stop, device=offsets.device)
    return torch.where(point < end, point, nobody)
