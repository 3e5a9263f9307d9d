"""Sizes of which there are few, for what is made or remembered for each size."""

from __future__ import annotations


def ladder(n: int) -> int:
    """Smallest number >= ``n`` with three significant binary digits: four sizes an octave.

    Example:
        >>> [ladder(n) for n in (5, 9, 28, 30, 1000)]
        [5, 10, 28, 32, 1024]
    """
    step = 1 << max(0, n.bit_length() - 3)
    return -(-n // step) * step
