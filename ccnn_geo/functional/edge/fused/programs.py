r"""The Triton programs of the edge convolution with a MAGNet kernel: sums, and gradients of the parameters.

With the basis :math:`\varphi_{ij}` (filters, hidden layers and window) and the window :math:`w_{ij}`,

.. math::
    y_{ic} = \sum_h W_{ch} \sum_j \varphi_{ijh} x_{jc} + b_c \sum_j w_{ij} x_{jc} ,

so nothing of size ``[edges, channels]`` is ever in memory. The gradient of ``x`` is the same sum over the reversed
lists. Gradients of parameters are partial sums: program ``p`` of ``P`` takes the targets ``p``, ``p + P`` and so on and
writes one row. There are no atomics, so results repeat bit by bit. Blocks of edges outside of the support are skipped.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ccnn_geo.functional.edge.fused.filters import basis, inside_box, offsets, window_values
from ccnn_geo.functional.edge.fused.rows import panel_columns, products, source_rows


@triton.jit
def empty_sums(columns, H: tl.constexpr, BLOCK: tl.constexpr):
    """Zeros for :func:`add_rows`: per range of channels ``[H, columns]`` and ``[BLOCK, columns]``."""
    sums = ()
    weighted = ()
    for t in tl.static_range(len(columns)):
        sums = sums + (tl.zeros([H, columns[t].shape[0]], tl.float32),)
        weighted = weighted + (tl.zeros([BLOCK, columns[t].shape[0]], tl.float32),)
    return sums, weighted


@triton.jit
def add_rows(sums, weighted, rows, h, w, PRECISION: tl.constexpr):
    """Adds the rows ``[BLOCK, columns]`` of a block of edges, times basis and window."""
    new_sums = ()
    new_weighted = ()
    for t in tl.static_range(len(rows)):
        new_sums = new_sums + (sums[t] + tl.dot(tl.trans(h), rows[t], input_precision=PRECISION),)
        new_weighted = new_weighted + (weighted[t] + rows[t] * w[:, None],)
    return new_sums, new_weighted


@triton.jit
def sum_over_neighbors(
    out,
    x,
    pos_one,
    pos_many,
    turns_one,
    turns_many,
    index,
    ptr,
    box,
    filters,
    hidden,
    bias,
    window,
    output,
    output_bias,
    channels,
    pitch,
    SIGN: tl.constexpr,
    L: tl.constexpr,
    D: tl.constexpr,
    H: tl.constexpr,
    BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
    NARROW: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Row ``program_id(0)`` of the sums; with ``SIGN`` -1, over the reversed lists, of their transpose."""
    i = tl.program_id(0).to(tl.int64)
    row = tl.arange(0, H)
    columns = panel_columns(tl.program_id(1), WIDE, NARROW)
    sums, weighted = empty_sums(columns, H, BLOCK)

    last = tl.load(ptr + i + 1)
    for start in range(tl.load(ptr + i), last, BLOCK):
        edge = start + tl.arange(0, BLOCK)
        live = edge < last
        j = tl.load(index + edge, mask=live, other=0)
        rel = offsets(pos_one, pos_many, i, j, live, SIGN, D)
        inside = inside_box(rel, box, live, D)
        if tl.max(inside.to(tl.int32), 0) > 0:
            h = basis(
                rel, turns_one, turns_many, i, j, inside, filters, hidden, bias, SIGN, L, D, H, PRECISION
            )
            w = window_values(rel, window, inside, D)
            rows = ()
            for t in tl.static_range(len(columns)):
                rows = rows + (source_rows(x, j, columns[t], inside, pitch),)
            sums, weighted = add_rows(sums, weighted, rows, h, w, PRECISION)

    for t in tl.static_range(len(columns)):
        c = columns[t]
        weight = tl.load(output + c[None, :] * H + row[:, None], mask=(c < channels)[None, :], other=0.0)
        y = tl.sum(sums[t] * weight, 0)
        y += tl.sum(weighted[t], 0) * tl.load(output_bias + c, mask=c < channels, other=0.0)
        tl.store(out + i * channels + c, y, mask=c < channels)


@triton.jit
def output_gradient(
    parts,
    grad_out,
    x,
    pos_one,
    pos_many,
    turns_one,
    turns_many,
    index,
    ptr,
    box,
    filters,
    hidden,
    bias,
    window,
    num_dst,
    channels,
    pitch,
    L: tl.constexpr,
    D: tl.constexpr,
    H: tl.constexpr,
    BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
    NARROW: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Partial sums of the output layer's gradient, its bias last, of a panel's channels: ``[H + 1, channels]``."""
    row = tl.arange(0, H)
    columns = panel_columns(tl.program_id(1), WIDE, NARROW)
    sums, weighted = empty_sums(columns, H, BLOCK)

    for number in range(tl.program_id(0), num_dst, tl.num_programs(0)):
        i = tl.cast(number, tl.int64)
        last = tl.load(ptr + i + 1)
        for start in range(tl.load(ptr + i), last, BLOCK):
            edge = start + tl.arange(0, BLOCK)
            live = edge < last
            j = tl.load(index + edge, mask=live, other=0)
            rel = offsets(pos_one, pos_many, i, j, live, 1, D)
            inside = inside_box(rel, box, live, D)
            if tl.max(inside.to(tl.int32), 0) > 0:
                h = basis(
                    rel, turns_one, turns_many, i, j, inside, filters, hidden, bias, 1, L, D, H, PRECISION
                )
                w = window_values(rel, window, inside, D)
                rows = ()
                for t in tl.static_range(len(columns)):
                    rows = rows + (products(x, grad_out, i, j, columns[t], inside, channels, pitch),)
                sums, weighted = add_rows(sums, weighted, rows, h, w, PRECISION)

    base = parts + tl.program_id(0).to(tl.int64) * (H + 1) * channels
    for t in tl.static_range(len(columns)):
        c = columns[t]
        tl.store(base + row[:, None] * channels + c[None, :], sums[t], mask=(c < channels)[None, :])
        tl.store(base + H * channels + c, tl.sum(weighted[t], 0), mask=c < channels)
