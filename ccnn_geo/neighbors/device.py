"""Neighbours on a device, without waiting for it where nothing must be known: what ``torch`` means off the CPU.

1. The query knows the sizes of all clouds, by one wait that also tells whether the points are fine.
2. So it knows the number of edges, but for a radius. They are written in place, in any order (``EdgeTable``).
3. Clouds go through all pairs in pieces of few launches, ragged ones filled up with points at NaN (``pieces``).
4. A piece chooses by ``topk`` and integer keys, exactly whatever the ties, so no row is looked at again (``topk``).
5. With a radius the neighbours are counted first. Their number is the second wait.
6. A cloud of more than 16,384 points looks at near cells only (``cells``, ``cell_search``), which waits a few times.
   It takes memory for its edges and for 2^24 distances.
7. If cells leave little out (many ties, many axes, many neighbours), such a cloud goes through all pairs as well.

Distances are those of ``squared_distances`` in float64, and ties go by index: the edges are the CPU's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo.neighbors.cell_search import CellSearch
from ccnn_geo.neighbors.edges import EdgeTable
from ccnn_geo.neighbors.exact import squared_distances
from ccnn_geo.neighbors.pieces import Piece, make_pieces, members
from ccnn_geo.neighbors.query import Query
from ccnn_geo.neighbors.topk import smallest_columns

MOST_PAIRS = 1 << 22
"""Pairs of points that a piece holds."""
LARGE = 1 << 14
"""Points of a cloud above which cells are made."""
MANY_TARGETS = 1 << 10
"""Targets of a cloud from which on making them pays."""
HELD_PAIRS = 1 << 25
"""Pairs whose distances are kept from counting to choosing, rather than computed again."""


def search_device(query: Query) -> tuple[Tensor, Tensor]:
    """Edges of every target, target by target, and their number per target."""
    all_pairs, large = _AllPairs(query), _large_clouds(query)
    pieces = list(make_pieces(query, MOST_PAIRS, large.keys()))
    searches = list(large.values())
    held: list[Tensor | None] = [None] * len(pieces)
    width = None
    if query.radius is None:
        count, widths = all_pairs.known_counts()
        targets = [last - first for *_, first, last in query.clouds]
        total = sum(w * t for w, t in zip(widths, targets, strict=True))
        most = [max(widths[p.first : p.last]) for p in pieces] + [widths[number] for number in large]
        if total > 0 and len(same := {w for w, t in zip(widths, targets, strict=True) if t > 0}) == 1:
            width = same.pop()
    else:
        count = torch.zeros(query.dst.size(0) + 1, dtype=torch.int64, device=query.dst.device)
        if sum(piece.num_pairs for piece in pieces) <= HELD_PAIRS:
            held = [all_pairs.distances(piece) for piece in pieces]
        found = [all_pairs.count(piece, count, d2) for piece, d2 in zip(pieces, held, strict=True)]
        found += [search.count(count) for search in searches]
        count = count[:-1]
        total, *most = torch.stack([count.sum(), *found]).tolist()
    table = EdgeTable(count, total, width)
    for piece, d2, num in zip(pieces, held, most[: len(pieces)], strict=True):
        all_pairs.fill(piece, table, num, d2)
    for search, num in zip(searches, most[len(pieces) :], strict=True):
        search.fill(table, num)
    return table.edges, count


def _large_clouds(query: Query) -> dict[int, CellSearch]:
    """Searches of the clouds, by number, that need not look at all pairs."""
    found: dict[int, CellSearch] = {}
    if query.k is None and query.radius is None:
        return found
    for number, cloud in enumerate(query.clouds):
        if cloud[1] - cloud[0] > LARGE and cloud[3] - cloud[2] >= MANY_TARGETS:
            search = CellSearch(query, cloud)
            if search.pays:
                found[number] = search
    return found


class _AllPairs:
    """Distances of all pairs in a piece, and what follows from them."""

    def __init__(self, query: Query) -> None:
        self.query, device = query, query.src.device
        # Copied there only where nothing waits, on the CPU, or where they are too many to be glanced at.
        self.offsets = query.offsets or tuple(
            torch.tensor(ptr, device=device) for ptr in (query.src_ptr, query.dst_ptr)
        )
        # A last point that is none, at NaN from all.
        nobody = query.src.new_full((1, query.src.size(1)), torch.nan)
        self.src = torch.cat([query.src, nobody])
        self.dst = self.src if query.dst is query.src else torch.cat([query.dst, nobody])

    def known_counts(self) -> tuple[Tensor, list[int]]:
        """Neighbours of each target without a radius, and of the targets of each cloud."""
        query = self.query
        widths = [max(0, last - first - (not query.loop)) for first, last, *_ in query.clouds]
        sizes = (self.offsets[0].diff() - int(not query.loop)).clamp_(min=0, max=query.k)
        count = sizes.repeat_interleave(self.offsets[1].diff(), output_size=query.dst.size(0))
        return count, widths if query.k is None else [min(w, query.k) for w in widths]

    def count(self, piece: Piece, out: Tensor, d2: Tensor | None) -> Tensor:
        """Writes how many sources are within the radius, at most k, to ``[M + 1]`` by target; the most of any."""
        query = self.query
        assert query.radius is not None, "without a radius counts are known"
        d2 = self.distances(piece) if d2 is None else d2
        inside = (d2 <= query.radius * query.radius).sum(dim=-1)
        if query.k is not None:
            inside.clamp_(max=query.k)
        out[self._targets(piece)] = inside
        return inside.amax()

    def fill(self, piece: Piece, table: EdgeTable, width: int, d2: Tensor | None) -> None:
        """Writes the sources of all targets, of which none has more than ``width``."""
        if width == 0:
            return
        columns = smallest_columns(self.distances(piece) if d2 is None else d2, width)
        columns += self.offsets[0][piece.first : piece.last, None, None]
        if piece.even and table.width is not None:
            table.put_all(self.query.dst_ptr[piece.first] + piece.start, columns)
        else:
            table.put(self._targets(piece).flatten(), columns.flatten(0, 1))

    def distances(self, piece: Piece) -> Tensor:
        """Squared, of the piece's targets to its sources, ``[B, T, S]``, NaN where there is no such pair."""
        query, clouds = self.query, piece.last - piece.first
        if piece.even:
            first_src, first_dst = query.src_ptr[piece.first], query.dst_ptr[piece.first] + piece.start
            src = query.src[first_src : first_src + clouds * piece.num_src]
            dst = query.dst[first_dst : first_dst + clouds * (piece.stop - piece.start)]
        else:
            src = self.src[members(self.offsets[0], piece, 0, piece.num_src, query.src.size(0))]
            dst = self.dst[self._targets(piece)]
        dim = query.src.size(1)
        d2 = squared_distances(dst.view(clouds, -1, 1, dim), src.view(clouds, 1, -1, dim))
        if not query.loop:
            d2.diagonal(offset=piece.start, dim1=1, dim2=2).fill_(torch.nan)
        return d2

    def _targets(self, piece: Piece) -> Tensor:
        return members(self.offsets[1], piece, piece.start, piece.stop, self.query.dst.size(0))
