"""Memory for large results on the CPU, reused from step to step.

``CCNN_GEO_POOL_MB`` is the largest amount of freed memory that a process keeps, in megabytes (2**20 bytes): 512 by
default, at most a quarter of what it may use (:mod:`ccnn_geo._base.native.memory_limit`), and none in the workers of
a ``DataLoader``.
"""

from __future__ import annotations

import functools
import math
import os
import weakref

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from ccnn_geo._base.native.memory_limit import memory_limit

LARGE = 1 << 22
"""Size in bytes above which touching fresh pages takes longer than the computation."""
POOL_MB = 512.0
"""Megabytes of freed memory to keep by default: a step frees its memory, and the next one needs as much."""
WASTE = 1.25
"""Largest ratio between the size of a reused block and the size requested."""
LINE = 64
"""Bytes of a cache line; all memory is aligned to it."""


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """An uninitialised tensor on the CPU; large ones reuse freed memory, or get huge pages if available.

    An allocator returns large blocks to the system, and each page of a new block costs more than writing it.

    Raises:
        ValueError: If ``CCNN_GEO_POOL_MB`` is not a number of megabytes.
    """
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return torch.empty(shape, dtype=dtype)
    _asked()
    block = _take(size + 2 * LINE)
    skipped = -block.ctypes.data % LINE
    array = block[skipped : skipped + size + LINE]  # loops in C may read one vector beyond the end
    # the tensor holds the array, and returns the block when it dies
    weakref.finalize(array, _give, block).atexit = False
    return torch.from_numpy(array).view(dtype)[: math.prod(shape)].view(shape)


def zeros(*shape: int) -> Tensor:
    """A float32 tensor as in :func:`empty`, filled with zeros."""
    return empty(*shape).zero_()


def forget() -> None:
    """Returns all kept memory to the system."""
    _blocks.clear()


def kept_at_most() -> int:
    """Largest number of bytes of freed memory that this process keeps."""
    if get_worker_info() is not None:
        return 0
    return min(_asked(), memory_limit() // 4)


@functools.cache
def _asked() -> int:
    """Bytes that the user allows, read once."""
    text = os.environ.get("CCNN_GEO_POOL_MB") or str(POOL_MB)
    try:
        megabytes = float(text)
    except ValueError:
        megabytes = math.nan
    if not 0 <= megabytes < math.inf:
        raise ValueError(f"CCNN_GEO_POOL_MB: expected megabytes, 0 or more, got {text!r}")
    return int(megabytes * (1 << 20))


class _Block:
    """Bytes, compared by identity."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data


_blocks: list[_Block] = []  # the last freed one comes last; no lock, because tensors may die while it is held


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
    most = kept_at_most()
    if data.size > most:
        return
    _blocks.append(_Block(data))
    while sum(b.data.size for b in tuple(_blocks)) > most:
        try:
            del _blocks[0]
        except IndexError:
            break


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)  # workers have no use for their parent's memory
