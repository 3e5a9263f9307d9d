"""Rows of features and their panels, as functions that Triton compiles into the programs.

Rows of ``x`` are ``pitch`` numbers apart, a multiple of 16, and are read as vectors; the rest of a row is zero. A
program has the channels of one panel, ``WIDE + NARROW`` of them, both powers of two (or 0).
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def panel_columns(panel, WIDE: tl.constexpr, NARROW: tl.constexpr):
    """Channels of a panel, as one or two ranges."""
    first = panel * (WIDE + NARROW)
    columns = (first + tl.arange(0, WIDE),)
    if NARROW > 0:
        columns = columns + (first + WIDE + tl.arange(0, NARROW),)
    return columns


@triton.jit
def source_rows(x, j, columns, inside, pitch):
    """Features of the sources, zero outside of the support: ``[BLOCK, columns]``."""
    mask = inside[:, None] & (columns < pitch)[None, :]
    return tl.load(x + j[:, None] * pitch + columns[None, :], mask=mask, other=0.0)


@triton.jit
def products(x, grad_out, i, j, columns, inside, channels, pitch):
    """Features of the sources times the gradient of the target's sums: ``[BLOCK, columns]``."""
    grad = tl.load(grad_out + i * channels + columns, mask=columns < channels, other=0.0)
    return source_rows(x, j, columns, inside, pitch) * grad[None, :]
