"""A MAGNet kernel on a block of edges of one target, as functions that Triton compiles into its programs.

A phase is the difference of two numbers of a table of the points, in turns. The tables are made in double precision, so
phases are exact however fast the waves are and however far from the origin the points lie.

Shapes:
    - a block has ``BLOCK`` edges; per edge a value is ``[BLOCK]``, per edge and filter ``[BLOCK, H]``
    - parameters are those of :class:`~ccnn_geo.functional.edge.fused.pack.Packed`
"""

from __future__ import annotations

import triton
import triton.language as tl

POWERS = tl.constexpr(8)
"""Rows of :func:`offset_powers`: enough for three axes."""
SLOPE = tl.constexpr(1.3862943611198906)
"""2 ln 2: exponents are of base 2."""


@triton.jit
def offsets(one, many, i, j, live, SIGN: tl.constexpr, D: tl.constexpr):
    """Relative positions, target minus source: ``[BLOCK]`` for each axis."""
    rel = ()
    for d in tl.static_range(D):
        rel = rel + (SIGN * (tl.load(one + i * D + d) - tl.load(many + j * D + d, mask=live, other=0.0)),)
    return rel


@triton.jit
def inside_box(rel, box, live, D: tl.constexpr):
    """Whether the offsets lie in the support: ``[BLOCK]``."""
    inside = live
    for d in tl.static_range(D):
        inside = inside & (rel[d] >= tl.load(box + d)) & (rel[d] <= tl.load(box + D + d))
    return inside


@triton.jit
def window_values(rel, window, inside, D: tl.constexpr):
    """The Gaussian window inside of the support, and zero outside: ``[BLOCK]``."""
    square = rel[0] * 0.0
    for d in tl.static_range(D):
        z = tl.load(window + d) * rel[d]
        square += z * z
    return tl.where(inside, tl.exp2(-square), 0.0)


@triton.jit
def envelope(rel, filters, layer: tl.constexpr, D: tl.constexpr, H: tl.constexpr):
    """Gaussian envelopes of a layer ``[BLOCK, H]``, from completed squares: narrow filters lose nothing."""
    base = filters + layer * (2 * D + 1) * H + tl.arange(0, H)
    exponent = tl.load(base + 2 * D * H)[None, :]
    for d in tl.static_range(D):
        z = rel[d][:, None] * tl.load(base + d * H)[None, :] - tl.load(base + (D + d) * H)[None, :]
        exponent = exponent - z * z
    return tl.exp2(exponent)


@triton.jit
def phase(one, many, i, j, inside, layer: tl.constexpr, SIGN: tl.constexpr, L: tl.constexpr, H: tl.constexpr):
    """Phases of a layer ``[BLOCK, H]`` in turns, in [-1/2, 1/2]."""
    row = tl.arange(0, H)
    a = tl.load(one + (i * (L + 1) + layer) * H + row)
    b = tl.load(many + (j * (L + 1) + layer)[:, None] * H + row[None, :], mask=inside[:, None], other=0.0)
    p = SIGN * (a[None, :] - b)
    return p - tl.floor(p + 0.5)


@triton.jit
def sine(p):
    """sin(2 pi p) for p in [-1/2, 1/2], to 2e-7; ``tl.sin`` would carry the reduction of huge arguments."""
    z = p * p
    q = 14.04985051713586 + z * -3.16189480752208
    q = 67.07663116898186 + z * (-38.495920520528735 + z * q)
    q = 25.13274115600192 + z * (-64.83582297714695 + z * q)
    return p * (0.25 - z) * q


@triton.jit
def cosine(p):
    """cos(2 pi p) for p in [-1/2, 1/2], to 3e-7."""
    z = p * p
    q = 25.616855281001733 + z * -6.620429848911563
    q = 81.79046357995416 + z * (-58.582316927509936 + z * q)
    q = 15.999999824940184 + z * (-59.82729006335332 + z * q)
    return (0.0625 - z) * q


@triton.jit
def affine(h, hidden, bias, layer: tl.constexpr, H: tl.constexpr, PRECISION: tl.constexpr):
    """The map of a hidden layer: ``[BLOCK, H]``."""
    row = tl.arange(0, H)
    weight = tl.load(hidden + layer * H * H + row[:, None] * H + row[None, :])
    return tl.dot(h, weight, input_precision=PRECISION) + tl.load(bias + layer * H + row)[None, :]


@triton.jit
def basis(
    rel,
    one,
    many,
    i,
    j,
    inside,
    filters,
    hidden,
    bias,
    SIGN: tl.constexpr,
    L: tl.constexpr,
    D: tl.constexpr,
    H: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Values before the output layer, zero outside of the support: ``[BLOCK, H]``."""
    h = envelope(rel, filters, 0, D, H) * sine(phase(one, many, i, j, inside, 0, SIGN, L, H))
    for l in tl.static_range(L):
        g = envelope(rel, filters, l + 1, D, H) * sine(phase(one, many, i, j, inside, l + 1, SIGN, L, H))
        h = g * affine(h, hidden, bias, l, H, PRECISION)
    return tl.where(inside[:, None], h, 0.0)


@triton.jit
def offset_powers(rel, D: tl.constexpr):
    """Squares of the offsets, the offsets, and 1, in the first ``2 D + 1`` of ``POWERS`` rows: ``[POWERS, BLOCK]``."""
    row = tl.arange(0, POWERS)[:, None]
    powers = tl.where(row == 2 * D, 1.0, (rel[0] * 0.0)[None, :])
    for d in tl.static_range(D):
        powers = tl.where(row == d, (rel[d] * rel[d])[None, :], powers)
        powers = tl.where(row == D + d, rel[d][None, :], powers)
    return powers


@triton.jit
def add_slopes(
    slopes, rel, by_exponent, by_phase, filters, waves, layer: tl.constexpr, D: tl.constexpr, H: tl.constexpr
):
    """Adds what one layer contributes to the offsets' gradient, per filter: ``[BLOCK, H]`` for each axis."""
    base = filters + layer * (2 * D + 1) * H + tl.arange(0, H)
    found = ()
    for d in tl.static_range(D):
        scale = tl.load(base + d * H)[None, :]
        z = rel[d][:, None] * scale - tl.load(base + (D + d) * H)[None, :]
        omega = tl.load(waves + (layer * D + d) * H + tl.arange(0, H))[None, :]
        found = found + (slopes[d] + by_phase * omega - SLOPE * by_exponent * scale * z,)
    return found
