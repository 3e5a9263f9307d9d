"""The Triton program of the gradients of a MAGNet kernel before its output layer."""

from __future__ import annotations

import triton
import triton.language as tl

from ccnn_geo.functional.edge.fused.filters import (
    POWERS,
    SLOPE,
    add_slopes,
    affine,
    cosine,
    envelope,
    inside_box,
    offset_powers,
    offsets,
    phase,
    sine,
    window_values,
)
from ccnn_geo.functional.edge.fused.rows import panel_columns, products


@triton.jit
def filter_gradients(
    parts,
    grad_rel,
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
    waves,
    output,
    output_bias,
    num_dst,
    channels,
    pitch,
    OFFSETS: tl.constexpr,
    PANELS: tl.constexpr,
    L: tl.constexpr,
    D: tl.constexpr,
    H: tl.constexpr,
    BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
    NARROW: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Partial sums of the gradients of all that is before the output layer; with ``OFFSETS`` those of the offsets too.

    A row has the hidden weights ``[L, H, H]`` (input first) and biases ``[L, H]``, the moments of exponents and of
    phases, ``[L + 1, POWERS, H]`` each, and those of the window, ``[POWERS]``.
    """
    row = tl.arange(0, H)
    by_hidden = ()
    by_bias = ()
    by_exponent = (tl.zeros([POWERS, H], tl.float32),)
    by_phase = (tl.zeros([POWERS, H], tl.float32),)
    for _ in tl.static_range(L):
        by_hidden = by_hidden + (tl.zeros([H, H], tl.float32),)
        by_bias = by_bias + (tl.zeros([BLOCK, H], tl.float32),)
        by_exponent = by_exponent + (tl.zeros([POWERS, H], tl.float32),)
        by_phase = by_phase + (tl.zeros([POWERS, H], tl.float32),)
    by_window = tl.zeros([POWERS, BLOCK], tl.float32)

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
                # through the output layer first, while registers are free; it is zero outside of the support
                grad = tl.zeros([BLOCK, H], tl.float32)
                grad_w = tl.zeros([BLOCK], tl.float32)
                for panel in range(PANELS):
                    columns = panel_columns(panel, WIDE, NARROW)
                    for t in tl.static_range(len(columns)):
                        c = columns[t]
                        v = products(x, grad_out, i, j, c, inside, channels, pitch)
                        known = c < channels
                        weight = tl.load(
                            output + c[:, None] * H + row[None, :], mask=known[:, None], other=0.0
                        )
                        grad += tl.dot(v, weight, input_precision=PRECISION)
                        grad_w += tl.sum(v * tl.load(output_bias + c, mask=known, other=0.0)[None, :], 1)

                # the basis again, with all that its derivatives need
                g = ()
                k = ()
                for l in tl.static_range(L + 1):
                    p = phase(turns_one, turns_many, i, j, inside, l, 1, L, H)
                    e = envelope(rel, filters, l, D, H)
                    g = g + (e * sine(p),)
                    k = k + (e * cosine(p),)
                h = (g[0],)
                maps = ()
                for l in tl.static_range(L):
                    maps = maps + (affine(h[l], hidden, bias, l, H, PRECISION),)
                    h = h + (g[l + 1] * maps[l],)
                w = window_values(rel, window, inside, D)

                # back through the layers, last first
                powers = offset_powers(rel, D)
                window_part = grad_w * w
                by_window += powers * window_part[None, :]
                slopes = ()
                for _ in tl.static_range(D):
                    slopes = slopes + (tl.zeros([BLOCK, H], tl.float32),)
                new_hidden = ()
                new_bias = ()
                new_exponent = ()
                new_phase = ()
                for l in tl.static_range(L - 1, -1, -1):
                    by_gabor = grad * maps[l]
                    exponent = by_gabor * g[l + 1]
                    angle = by_gabor * k[l + 1]
                    by_map = grad * g[l + 1]
                    total = by_exponent[l + 1] + tl.dot(powers, exponent, input_precision=PRECISION)
                    new_exponent = (total,) + new_exponent
                    total = by_phase[l + 1] + tl.dot(powers, angle, input_precision=PRECISION)
                    new_phase = (total,) + new_phase
                    square = by_hidden[l] + tl.dot(tl.trans(h[l]), by_map, input_precision=PRECISION)
                    new_hidden = (square,) + new_hidden
                    new_bias = (by_bias[l] + by_map,) + new_bias
                    if OFFSETS:
                        slopes = add_slopes(slopes, rel, exponent, angle, filters, waves, l + 1, D, H)
                    weight = tl.load(hidden + l * H * H + row[None, :] * H + row[:, None])
                    grad = tl.dot(by_map, weight, input_precision=PRECISION)
                exponent = grad * g[0]
                angle = grad * k[0]
                total = by_exponent[0] + tl.dot(powers, exponent, input_precision=PRECISION)
                by_exponent = (total,) + new_exponent
                total = by_phase[0] + tl.dot(powers, angle, input_precision=PRECISION)
                by_phase = (total,) + new_phase
                by_hidden = new_hidden
                by_bias = new_bias
                if OFFSETS:
                    slopes = add_slopes(slopes, rel, exponent, angle, filters, waves, 0, D, H)
                    for d in tl.static_range(D):
                        s = tl.load(window + d)
                        slope = tl.sum(slopes[d], 1) - SLOPE * s * s * rel[d] * window_part
                        tl.store(grad_rel + edge * D + d, slope, mask=inside)

    part = parts + tl.program_id(0).to(tl.int64) * (L * H * (H + 1) + 2 * (L + 1) * POWERS * H + POWERS)
    square = row[:, None] * H + row[None, :]
    moments = tl.arange(0, POWERS)[:, None] * H + row[None, :]
    for l in tl.static_range(L):
        tl.store(part + l * H * H + square, by_hidden[l])
        tl.store(part + L * H * H + l * H + row, tl.sum(by_bias[l], 0))
    base = part + L * H * (H + 1)
    for l in tl.static_range(L + 1):
        tl.store(base + l * POWERS * H + moments, by_exponent[l])
        tl.store(base + (L + 1 + l) * POWERS * H + moments, by_phase[l])
    tl.store(base + 2 * (L + 1) * POWERS * H + tl.arange(0, POWERS), tl.sum(by_window, 1))
