"""Edges in runs of equal offset, block by block of targets."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.functional.lattice.compiled_group import native_group

BLOCK_TARGETS = 2048
"""Targets per block: their sums and their sources stay in the second-level cache (measured)."""


@dataclass(frozen=True, eq=False, repr=False)
class OffsetSegments:
    """Edges ordered by block of targets, offset and target; run ``r`` is ``begin[r]:end[r]`` with ``offset[r]``.

    Shapes:
        - **offset:** :math:`(R)` int32; **begin**, **end:** :math:`(R)` int64; **src**, **dst:** :math:`(E)` int32

    Segments that :meth:`only` made also have those of all offsets, ``whole``, and the number of each offset of these,
    ``number [U]`` int32, -1 for offsets that were left out.
    """

    offset: Tensor
    begin: Tensor
    end: Tensor
    src: Tensor
    dst: Tensor
    whole: OffsetSegments | None = field(default=None, kw_only=True)
    number: Tensor | None = field(default=None, kw_only=True)

    @classmethod
    @torch.no_grad()
    def group(
        cls, neighbors: Neighbors, line_src: Tensor, line_dst: Tensor, cells: int
    ) -> tuple[Tensor, OffsetSegments]:
        """Distinct differences ``line_dst - line_src`` of edges ``[U]``, ascending, and the edges in runs for each.

        Args:
            neighbors: The edges, at least one.
            line_src: A number for each source.
            line_dst: A number for each target.
            cells: Upper bound; all differences are in ``[0, cells)``.

        Shapes:
            - **line_src:** :math:`(N)` int64; **line_dst:** :math:`(M)` int64
        """
        found = native_group(neighbors, line_src, line_dst, cells, BLOCK_TARGETS)
        if found is not None:
            line, *parts = found
            return line, cls(*parts)
        src, dst = neighbors.edge_index
        blocks = -(-neighbors.num_dst // BLOCK_TARGETS)
        # fewer bits sort faster
        dtype = torch.int32 if blocks * cells < 1 << 31 else torch.int64
        line_dst = line_dst + torch.arange(len(line_dst), device=line_dst.device) // BLOCK_TARGETS * cells
        key = line_dst.to(dtype).index_select(0, dst) - line_src.to(dtype).index_select(0, src)
        key, order = key.sort(stable=True)
        key, count = key.unique_consecutive(return_counts=True)
        line, offset = (key.long() % cells).unique(return_inverse=True)
        end = count.cumsum(0)
        src, dst = (t.int().index_select(0, order) for t in (src, dst))
        return line, cls(offset.int(), end - count, end, src, dst)

    @torch.no_grad()
    def only(self, kept: Tensor) -> OffsetSegments:
        """The runs of the offsets marked in ``kept [U]``, with offsets renumbered."""
        number = kept.cumsum(0, dtype=torch.int32) - 1
        runs = kept.index_select(0, self.offset)
        offset = number.index_select(0, self.offset[runs])
        number = number.masked_fill(~kept, -1)
        if (
            self.whole is not None and self.number is not None
        ):  # of offsets that were chosen among others before
            chosen = number.index_select(0, self.number.clamp(min=0))
            number = chosen.masked_fill(self.number < 0, -1)
        whole = self if self.whole is None else self.whole
        return OffsetSegments(
            offset, self.begin[runs], self.end[runs], self.src, self.dst, whole=whole, number=number
        )

    def lists(self, num_src: int, num_dst: int, num_offsets: int) -> tuple[Tensor, ...]:
        """All edges grouped by target, by source and by offset; sorted once for all kernels that share them.

        Returns:
            Of each grouping two rows of the other ends and the pointers: offset and source, offset and target, target
            and source.

        Shapes:
            - each row :math:`(E)` int32; pointers :math:`(M + 1)`, :math:`(N + 1)` and :math:`(U + 1)` int64
        """
        if not self._lists:
            offset, src, dst = self.edges
            groupings = (
                (dst, num_dst, offset, src),
                (src, num_src, offset, dst),
                (offset, num_offsets, dst, src),
            )
            for key, size, left, right in groupings:
                key, order = key.sort(stable=True)
                ptr = torch.searchsorted(key, torch.arange(size + 1, dtype=key.dtype, device=key.device))
                self._lists.extend((left.index_select(0, order), right.index_select(0, order), ptr))
        return tuple(self._lists)

    @cached_property
    def _lists(self) -> list[Tensor]:
        return []

    @cached_property
    def num_edges(self) -> int:
        """Number of edges in all runs."""
        return int((self.end - self.begin).sum())

    @cached_property
    def edges(self) -> tuple[Tensor, Tensor, Tensor]:
        """Offset, source and target of each edge, ``[E']`` int32."""
        count = self.end - self.begin
        offset = self.offset.repeat_interleave(count, output_size=self.num_edges)
        if self.num_edges == self.src.numel():
            return offset, self.src, self.dst
        skipped = self.begin - (count.cumsum(0) - count)
        edges = skipped.repeat_interleave(count, output_size=self.num_edges)
        edges += torch.arange(self.num_edges, device=edges.device)
        return offset, self.src.index_select(0, edges), self.dst.index_select(0, edges)
