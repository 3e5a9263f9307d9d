"""Taps on grids that stay the same while windows learn, as CUDA graphs need them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_depth = 0
"""Open contexts. Of the process: autograd's own threads, too, must render what the forward pass has rendered."""


@contextmanager
def fixed_taps() -> Iterator[None]:
    """Evaluates kernels at all offsets of a grid inside the ``with`` block, however wide their windows are.

    Otherwise a kernel has the taps in its window, and their number follows the window as it learns. A CUDA graph keeps
    the sizes that it was recorded with, so a window that grew later would be cut off. Inside this block the number of
    taps depends on the grid alone, or on ``kernel_domain`` if that is given, nothing is read from the device, and no
    kernel is kept for later passes. Values are the same; they take more time where windows are narrow.

    Record graphs inside of it, with the passes that warm up. Their replays need no block.

    Example:
        >>> from ccnn_geo import SepFlexConv
        >>> conv, x = SepFlexConv(2, 2, 1, window_init=0.1, omega_0=5.0).eval(), torch.randn(1, 2, 50)
        >>> expected = conv(x)
        >>> with fixed_taps():
        ...     found = conv(x)
        >>> torch.allclose(found, expected, atol=1e-5)
        True
    """
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def taps_are_fixed() -> bool:
    """Whether :func:`fixed_taps` is in force."""
    return _depth > 0
