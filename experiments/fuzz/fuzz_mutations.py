"""Ways to damage files."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from random import Random

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
WORDS = (
    *(
        b"0",
        b"-1",
        b"1",
        b"2",
        b"3",
        b"4",
        b"255",
        b"256",
        b"65536",
        b"2147483647",
        b"2147483648",
        b"4294967296",
    ),
    *(
        b"1000000000000",
        b"9223372036854775807",
        b"9223372036854775808",
        b"99999999999999999999",
        b"9" * 400,
        b"1.5",
    ),
    *(
        b"nan",
        b"inf",
        b"-inf",
        b"1e308",
        b"1e999",
        b"1e-320",
        b"-0.0",
        b"0x10",
        b"1_0",
        b"",
        b"x",
        b"[[[[",
        b"\xff\xfe",
    ),
)
COUNTS = (
    0,
    1,
    2,
    3,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    10**6,
    2**31 - 1,
    2**31,
    2**32 - 1,
    10**12,
    2**63 - 1,
    2**64 - 1,
)


def mutate(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Applies one to three kinds of damage in turn; ``others`` are files to splice with."""
    for _ in range(random.choice((1, 1, 2, 3))):
        content = random.choice(_DAMAGES)(content, others, random)
    return content


def _flip(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Flips single bits."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 8) if content else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Cuts off the end, now and then the beginning."""
    at = random.randint(0, len(content))
    return content[at:] if random.random() < 0.2 else content[:at]


def _drop(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Drops a part."""
    start, stop = _part(content, random)
    return content[:start] + content[stop:]


def _insert(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Inserts random bytes."""
    at = random.randint(0, len(content))
    return content[:at] + random.randbytes(random.randint(1, 16)) + content[at:]


def _repeat(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Repeats a part, perhaps many times."""
    start, stop = _part(content, random)
    return content[:stop] + content[start:stop] * random.choice((1, 2, 50)) + content[stop:]


def _swap(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Swaps two parts."""
    a, b, c, d = sorted(random.randint(0, len(content)) for _ in range(4))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _number(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Replaces a number in the text by another."""
    found = list(NUMBER.finditer(content))
    if not found:
        return content
    match = random.choice(found)
    return content[: match.start()] + random.choice(WORDS) + content[match.end() :]


def _exchange(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Swaps two numbers in the text."""
    found = list(NUMBER.finditer(content))
    if len(found) < 2:
        return content
    a, b = sorted(random.sample(found, 2), key=lambda m: m.start())
    return content[: a.start()] + b[0] + content[a.end() : b.start()] + a[0] + content[b.end() :]


def _count(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Replaces a binary count, of 1 to 8 bytes in either order, by another, perhaps a huge one."""
    code, size = random.choice((("B", 1), ("H", 2), ("I", 4), ("Q", 8)))
    if len(content) < size:
        return content
    at = random.randint(0, len(content) - size)
    value = random.choice(COUNTS) % (1 << 8 * size)
    return content[:at] + struct.pack(random.choice("<>") + code, value) + content[at + size :]


def _splice(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Continues as another file."""
    other = random.choice(others)
    return content[: random.randint(0, len(content))] + other[random.randint(0, len(other)) :]


def _breaks(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Changes line ends to those of another system, or removes them."""
    return content.replace(b"\n", random.choice((b"\r\n", b"\r", b"", b" ", b"\n\n", b"\0")))


def _part(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(content))
    return start, min(len(content), start + random.choice((1, 2, 4, 8, 16, 32, 64)))


_DAMAGES: tuple[Callable[[bytes, Sequence[bytes], Random], bytes], ...] = (
    *(_flip, _cut, _drop, _insert, _repeat, _swap, _number, _exchange, _count, _splice, _breaks),
)
