"""Seeds that depend on the draw, never on earlier draws: the basis of an exact resume."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def mix_seed(*parts: int | str) -> int:
    """A seed in [0, 2^63) that differs for any two tuples and is the same on every machine and in every process.

    Args:
        parts: Identifiers of the draw, e.g. seed, epoch and sample.

    Example:
        >>> mix_seed(0, 1) == mix_seed(0, 1), mix_seed(0, 1) == mix_seed(1, 0)
        (True, False)
    """
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


@contextmanager
def local_seed(seed: int) -> Iterator[None]:
    """Seeds torch's global CPU generator inside the ``with`` block and restores its state afterwards."""
    generator = torch.default_generator
    state = generator.get_state()
    generator.manual_seed(seed)
    try:
        yield
    finally:
        generator.set_state(state)
