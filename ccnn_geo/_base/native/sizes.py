"""Limits the number of distinct sizes, if something is made or cached for each size."""

from __future__ import annotations

from collections.abc import Hashable


def ladder(n: int, steps: int = 4) -> int:
    """Smallest number >= ``n`` on a ladder of ``steps`` sizes per octave, a power of two.

    Example:
        >>> [ladder(n) for n in (5, 9, 28, 30, 1000)]
        [5, 10, 28, 32, 1024]
        >>> [ladder(n, steps=1) for n in (5, 9, 28, 30, 1000)]
        [8, 16, 32, 32, 1024]
    """
    step = 1 << max(0, n.bit_length() - steps.bit_length())
    return -(-n // step) * step


class FirstSizes:
    """The first few sizes that a process meets, which a library may cache.

    Args:
        most: Largest number of sizes.

    Example:
        >>> first = FirstSizes(2)
        >>> [first.has(n) for n in (5, 6, 7, 5)]
        [True, True, False, True]
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._met: set[Hashable] = set()

    def has(self, size: Hashable) -> bool:
        """Whether ``size`` is one of them; adds it while there is room."""
        if size not in self._met and len(self._met) < self.most:
            self._met.add(size)
        return size in self._met

    def forget(self) -> None:
        """Forgets all sizes."""
        self._met.clear()
