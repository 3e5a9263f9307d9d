"""Launches of the Triton program of the convolution on lattices: tensors in, tensors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.operators import differentiable
from ccnn_geo.functional.first_order import refuse_second_order
from ccnn_geo.functional.lattice.fused import programs

BLOCK, WIDEST = 16, 128
"""Edges of a row at once, and the most channels of a program."""


def lattice_sums(x: Tensor, table: Tensor, lists: Sequence[Tensor], number: Tensor) -> Tensor:
    """The convolution over edges in lists, with first derivatives.

    Args:
        x: Features of the sources.
        table: The kernel at the offsets in its support.
        lists: Rows and pointers of the edges by target, by source and by offset, as
            :attr:`~ccnn_geo.functional.lattice.runs.OffsetSegments.lists` has them.
        number: The row of the table of each offset, -1 for offsets outside of the support.

    Shapes:
        - **x:** :math:`(N, C)`; **table:** :math:`(U', C)`; **number:** :math:`(U)` int32
        - **output:** :math:`(M, C)`
    """
    found: Tensor = _OPERATOR(x, table, list(lists), number)
    return found


def _sums(x: Tensor, table: Tensor, lists: Sequence[Tensor], number: Tensor) -> Tensor:
    offset, source, ptr = lists[:3]
    return _launch(x.new_empty(ptr.numel() - 1, x.size(1)), table, x, (offset, source, ptr), number)


def _gradients(
    grad: Tensor, x: Tensor, table: Tensor, lists: Sequence[Tensor], number: Tensor, needed: Sequence[bool]
) -> list[Tensor]:
    by_source, by_offset = lists[3:6], lists[6:9]
    found = []
    if needed[0]:
        found.append(_launch(x.new_empty(x.shape), table, grad, by_source, number))
    if needed[1]:
        found.append(_launch(table.new_empty(table.shape), grad, x, by_offset, number, to_table=True))
    return found


def _launch(
    out: Tensor, left: Tensor, right: Tensor, lists: Sequence[Tensor], number: Tensor, to_table: bool = False
) -> Tensor:
    channels, (left_row, right_row, ptr) = out.size(1), lists
    if out.numel() == 0:
        return out
    if left.numel() == 0 or right.numel() == 0:
        return out.zero_()
    left, right = (torch.nn.functional.pad(t, (0, -channels % 16)).contiguous() for t in (left, right))
    wide = min(WIDEST, 1 << (left.size(1) - 1).bit_length())
    grid = (ptr.numel() - 1, -(-channels // wide))
    programs.sum_products[grid](
        *(out, left, right, left_row, right_row, ptr, number, channels, left.size(1)),
        TABLE_OUT=to_table,
        BLOCK=BLOCK,
        WIDE=wide,
    )
    return out


def _formula(x: Tensor, table: Tensor, lists: Sequence[Tensor], number: Tensor) -> Tensor:
    """The sums in operations of torch."""
    offset, source, ptr = lists[:3]
    row = number.index_select(0, offset)
    rows = torch.cat([table, table.new_zeros(1, table.size(1))])  # the last one: outside of the support
    values = rows.index_select(0, row.where(row >= 0, table.size(0))) * x.index_select(0, source)
    target = torch.arange(ptr.numel() - 1, device=x.device).repeat_interleave(ptr.diff())
    return values.new_zeros(ptr.numel() - 1, x.size(1)).index_add(0, target, values)


def _fake(x: Tensor, table: Tensor, lists: Sequence[Tensor], *given: Any) -> Tensor:
    return x.new_empty(lists[2].size(0) - 1, x.size(1))


def _refuse() -> None:
    refuse_second_order("lattice_conv")


_OPERATOR = differentiable(
    "lattice_sums(Tensor x, Tensor table, Tensor[] lists, Tensor number) -> Tensor",
    _sums,
    _gradients,
    _fake,
    _formula,
    learns=2,
    second=_refuse,
)
