"""LZF, the compression of PCD files."""

from __future__ import annotations

LARGEST_RATIO = 88
"""Most bytes that one compressed byte can expand to: three stand for 264."""


def decompress(packed: bytes, size: int) -> bytearray:
    """Decompresses a block of literals and copies of earlier bytes.

    Args:
        packed: The block.
        size: Number of bytes in it.

    Raises:
        ValueError: If it holds less or more, refers to bytes before its beginning, or ends within a reference.

    Source: M. Lehmann, liblzf.
    """
    found, at, end = bytearray(), 0, len(packed)
    while at < end and len(found) <= size:
        control = packed[at]
        at += 1
        if control < 32:  # one more literal than this number
            found += packed[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        last = at + (length == 7)
        if last >= end:
            raise ValueError(f"an incomplete reference at byte {at - 1}")
        if length == 7:
            length += packed[at]
        back = ((control & 31) << 8) + packed[last] + 1
        at = last + 1
        start = len(found) - back
        if start < 0:
            raise ValueError(f"a reference {back} bytes back, of {len(found)}")
        length += 2
        copy = found[start : start + length]
        if back < length:  # a copy that reads its own output repeats itself
            copy = (copy * (length // back + 1))[:length]
        found += copy
    if at != end or len(found) != size:
        raise ValueError(f"a block of {len(found)} bytes, expected {size}")
    return found
