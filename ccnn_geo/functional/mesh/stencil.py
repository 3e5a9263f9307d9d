"""Sums between points and lattice cells, weighted by B-splines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

from ccnn_geo.functional.mesh.bspline import bspline_slopes, bspline_weights

BLOCK_ENTRIES = {"cpu": 1 << 18, "cuda": 1 << 23}
"""Pairs of point and cell that are listed at once: what the caches hold (CPU), and for a GPU one block for most clouds.

A pair takes some 80 bytes while its list is made (indices, keys before and after sorting, what sorting puts aside,
weights, counts): 2^23 take 0.7 GB. Each block waits for the device once, and 216 pairs a point in space make one block
of 38,000 points; with 2^18 these would be 32. An estimate: no GPU was measured."""

KEPT_ENTRIES = 1 << 25
"""Largest number of pairs for which :meth:`Stencil.spread` keeps its lists for the next layer, at 8 bytes each."""


@dataclass
class Stencil:
    r"""Points of some clouds, and the ``order ** D`` cells around each of them.

    .. math::
        u_n = \sum_j W_{jn} \, x_j, \qquad y_i = \sum_n W_{in} \, u_n, \qquad
        W_{jn} = \prod_d N_m(p_{jd} / h_d - n_d)

    Args:
        rows: Indices of the points ``[P]``.
        base: Flat index of each point's lowest cell ``[P]``, ascending, so that neighbours in memory share cells.
        rest: Offsets in [0, 1) that determine the weights, ``[P, D]``.
        strides: Flat distance between neighbouring cells per axis.
        num_cells: Number of cells in all lattices.
        order: Order :math:`m` of the splines.
    """

    rows: Tensor
    base: Tensor
    rest: Tensor
    strides: Sequence[int]
    num_cells: int
    order: int
    _lists: list[tuple[Tensor, Tensor, Tensor, Tensor]] | None = field(default=None, repr=False)

    def spread(self, x: Tensor) -> Tensor:
        """Sums features ``[N, C]`` into cells: ``[num_cells, C]``."""
        x = x.index_select(0, self.rows)
        cells = x.new_zeros(self.num_cells, x.size(1))
        for rows, source, start, weight in self._sorted_lists():
            cells.index_add_(0, rows, _weighted_bags(x, source, weight, start))
        return cells

    def gather(self, cells: Tensor) -> Tensor:
        """Interpolates ``[num_cells, C]`` at the points: ``[P, C]``."""
        out = [_weighted_bags(cells, index, _products(weights)) for _, index, weights in self._blocks()]
        return torch.cat(out) if out else cells.new_zeros(0, cells.size(1))

    def gather_slopes(self, cells: Tensor, grad: Tensor) -> Tensor:
        r"""Gradient of the coordinates in cells: ``cells [num_cells, C]``, ``grad [P, C]`` to ``[P, D]``.

        .. math::
            g_{id} = \sum_n \frac{\partial W_{in}}{\partial p_{id}} \sum_c u_{nc} \, g_{ic}
        """
        out = torch.zeros_like(self.rest)
        for block, index, weights in self._blocks():
            slopes = bspline_slopes(self.rest[block], self.order).unbind(1)
            for d in range(len(weights)):
                product = _products([*weights[:d], slopes[d], *weights[d + 1 :]])
                out[block, d] = (_weighted_bags(cells, index, product) * grad[block]).sum(1)
        return out

    def _blocks(self) -> Iterator[tuple[slice, Tensor, tuple[Tensor, ...]]]:
        """Points, the cells around them ``[p, order ** D]`` and their weights per axis ``[p, order]``."""
        nodes = torch.arange(self.order, device=self.base.device)
        offsets = reduce(
            lambda a, s: (a.unsqueeze(-1) + nodes * s).flatten(), self.strides, nodes.new_zeros(1)
        )
        entries = BLOCK_ENTRIES.get(self.base.device.type, BLOCK_ENTRIES["cuda"])
        step = max(1, entries // offsets.numel())
        for start in range(0, self.base.numel(), step):
            block = slice(start, start + step)
            index = self.base[block].unsqueeze(1) + offsets
            yield block, index, bspline_weights(self.rest[block], self.order).unbind(1)

    def _sorted_lists(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        if self._lists is not None:
            return iter(self._lists)
        keep = self.base.numel() * self.order ** len(self.strides) <= KEPT_ENTRIES
        if keep:
            self._lists = list(self._make_lists())
            return iter(self._lists)
        return self._make_lists()

    def _make_lists(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Pairs grouped by cell: summing rows per cell is several times faster than adding pair by pair."""
        key_type = torch.int32 if self.num_cells < 1 << 31 else torch.int64
        for block, index, weights in self._blocks():
            keys, order = index.flatten().to(key_type).sort()
            cells, count = keys.unique_consecutive(return_counts=True)
            source = order.div(index.size(1), rounding_mode="floor").add_(block.start).to(torch.int32)
            start = (count.cumsum(0) - count).to(torch.int32)
            # unique_consecutive returns a view of a full-length storage
            yield cells.clone(), source, start, _products(weights).flatten().index_select(0, order)


def _products(weights: Sequence[Tensor]) -> Tensor:
    """Outer products of ``[P, order]`` per axis: ``[P, order ** D]``."""
    return reduce(lambda a, b: (a.unsqueeze(-1) * b.unsqueeze(1)).flatten(1), weights)


def _weighted_bags(rows: Tensor, index: Tensor, weight: Tensor, start: Tensor | None = None) -> Tensor:
    return F.embedding_bag(index, rows, start, mode="sum", per_sample_weights=weight)
