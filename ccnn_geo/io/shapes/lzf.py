"""LZF, the compression of PCD files."""

from __future__ import annotations

LARGEST_RATIO = 88
"""Bytes that one compressed byte can become, at most: three stand for 264."""


def decompress(packed: bytes, size: int) -> bytearray:
    """Bytes of a block, literals and copies of what came before.

    Args:
        packed: The block.
        size: Bytes that it holds.

    Raises:
        ValueError: If it holds less or more, refers to what is before its beginning, or ends within a reference.

    Source: M. Lehmann, liblzf.
    """
    found, at, end = bytearray(), 0, len(packed)
    while at < end and len(found) <= size:
        control = packed[at]
        at += 1
        if control < 32:  # so many literals and one
            found += packed[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        last = at + (length == 7)
        if last >= end:
            raise ValueError(f"a reference at byte {at - 1} that is not complete")
        if length == 7:
            length += packed[at]
        back = ((control & 31) << 8) + packed[last] + 1
        at = last + 1
        start = len(found) - back
        if start < 0:
            raise ValueError(f"a reference to {back} bytes before, of {len(found)}")
        length += 2
        copy = found[start : start + length]
        if back < length:  # a copy that reads what it writes repeats itself
            copy = (copy * (length // back + 1))[:length]
        found += copy
    if at != end or len(found) != size:
        raise ValueError(f"a block of {len(found)} bytes, expected {size}")
    return found
