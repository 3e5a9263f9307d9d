r"""The Triton program of the convolution on lattices: sums of products of rows.

The values, the gradient of the features and the gradient of the table are the same sum over edges,

.. math::
    y_{rc} = \sum_{e \in \mathcal E(r)} a_{l(e), c} \, b_{m(e), c} ,

with edges listed by target, by source or by offset. No row is written twice, so results repeat bit by bit.

Rows of ``left`` and ``right`` are ``pitch`` numbers apart, a multiple of 16, and are read as vectors.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def sum_products(
    out,
    left,
    right,
    left_row,
    right_row,
    ptr,
    number,
    channels,
    pitch,
    TABLE_OUT: tl.constexpr,
    BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
):
    """Row ``program_id(0)`` of the sums, for the channels of panel ``program_id(1)``.

    ``number`` maps all offsets to rows of the table, -1 for those outside of the kernel's support. It applies to the
    rows of ``left``, or with ``TABLE_OUT`` to those of ``out``.
    """
    r = tl.program_id(0).to(tl.int64)
    c = tl.program_id(1) * WIDE + tl.arange(0, WIDE)
    known = c < pitch
    row = r
    if TABLE_OUT:
        row = tl.load(number + r).to(tl.int64)
    sums = tl.zeros([BLOCK, WIDE], tl.float32)
    if row >= 0:
        last = tl.load(ptr + r + 1)
        for start in range(tl.load(ptr + r), last, BLOCK):
            edge = start + tl.arange(0, BLOCK)
            live = edge < last
            a = tl.load(left_row + edge, mask=live, other=0).to(tl.int64)
            b = tl.load(right_row + edge, mask=live, other=0).to(tl.int64)
            if not TABLE_OUT:
                a = tl.load(number + a, mask=live, other=-1).to(tl.int64)
                live = live & (a >= 0)
            mask = live[:, None] & known[None, :]
            x = tl.load(left + a[:, None] * pitch + c[None, :], mask=mask, other=0.0)
            y = tl.load(right + b[:, None] * pitch + c[None, :], mask=mask, other=0.0)
            sums += x * y
        tl.store(out + row * channels + c, tl.sum(sums, 0), mask=c < channels)
