"""Seeds that depend on what is drawn, never on what was drawn before: the basis of an exact resume."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def mix_seed(*parts: int | str) -> int:
    """A seed in [0, 2^63) that tells any two tuples apart, the same on every machine and in every process.

    Args:
        parts: What the draw belongs to, e.g. seed, epoch and sample.

    Example:
        >>> mix_seed(0, 1) == mix_seed(0, 1), mix_seed(0, 1) == mix_seed(1, 0)
        (True, False)
    """
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


@contextmanager
def local_seed(seed: int) -> Iterator[None]:
    """Seeds torch's global CPU generator inside the ``with`` block and gives its state back afterwards."""
    generator = torch.default_generator
    state = generator.get_state()
    generator.manual_seed(seed)
    try:
        yield
    finally:
        generator.set_state(state)
