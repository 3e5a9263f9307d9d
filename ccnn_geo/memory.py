"""Memory for large results on the CPU, used again from step to step."""

from __future__ import annotations

import math
import os
import weakref

import numpy as np
import torch
from torch import Tensor


def _installed() -> int:
    """Bytes of the machine's memory; 4 GB where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 1 << 32


LARGE = 1 << 22
"""Bytes from which the first touch of fresh pages takes longer than what is computed into them."""
KEPT = _installed() // 8
"""Bytes of freed memory that are kept, at most: a step frees all that it holds, and the next one asks for as much."""
WASTE = 1.25
"""Size of a kept block over what is asked for, at most."""
LINE = 64
"""Bytes of a cache line, at which all memory begins."""


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor on the CPU, not initialised; large ones reuse freed memory, or get huge pages where there are any.

    An allocator gives large blocks back to the system, and each page of a new one costs more than writing it.
    """
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return torch.empty(shape, dtype=dtype)
    block = _take(size + 2 * LINE)
    skipped = -block.ctypes.data % LINE
    array = block[skipped : skipped + size + LINE]  # loops in C may read one vector beyond the end
    # the tensor holds the array, and gives the block back when it dies
    weakref.finalize(array, _give, block).atexit = False
    return torch.from_numpy(array).view(dtype)[: math.prod(shape)].view(shape)


def zeros(*shape: int) -> Tensor:
    """The same in float32, filled with zeros."""
    return empty(*shape).zero_()


def forget() -> None:
    """Gives all kept memory back to the system."""
    _blocks.clear()


class _Block:
    """Bytes, compared by identity."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data


_blocks: list[_Block] = []  # the last freed one comes last; no lock, since tensors may die while one is held


def _take(size: int) -> np.ndarray:
    fitting = [b for b in tuple(_blocks) if size <= b.data.size <= WASTE * size]
    for block in sorted(fitting, key=lambda b: b.data.size):
        try:
            _blocks.remove(block)
        except ValueError:  # another thread was faster
            continue
        return block.data
    return np.empty(size, dtype=np.uint8)  # numpy asks the system for huge pages, torch does not


def _give(data: np.ndarray) -> None:
    _blocks.append(_Block(data))
    while sum(b.data.size for b in tuple(_blocks)) > KEPT:
        try:
            del _blocks[0]
        except IndexError:
            break
