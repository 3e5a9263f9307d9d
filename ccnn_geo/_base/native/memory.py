"""Memory for large results on the CPU, used again from step to step.

``CCNN_GEO_POOL_MB`` says how many megabytes (2**20 bytes) of freed memory a process keeps at most: 512 by default,
never more than a quarter of what it may use (:mod:`ccnn_geo._base.native.memory_limit`), none in the workers of a
``DataLoader``.
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
"""Bytes from which the first touch of fresh pages takes longer than what is computed into them."""
POOL_MB = 512.0
"""Megabytes of freed memory that are kept by default: a step frees what it holds, and the next one asks for as much."""
WASTE = 1.25
"""Size of a kept block over what is asked for, at most."""
LINE = 64
"""Bytes of a cache line, at which all memory begins."""


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor on the CPU, not initialised; large ones reuse freed memory, or get huge pages where there are any.

    An allocator gives large blocks back to the system, and each page of a new one costs more than writing it.

    Raises:
        ValueError: If ``CCNN_GEO_POOL_MB`` is no number of megabytes.
    """
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return torch.empty(shape, dtype=dtype)
    _asked()
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


def kept_at_most() -> int:
    """Bytes of freed memory that this process keeps at most."""
    if get_worker_info() is not None:
        return 0
    return min(_asked(), memory_limit() // 4)


@functools.cache
def _asked() -> int:
    """Bytes that the user asks for, read once."""
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
    os.register_at_fork(after_in_child=forget)  # what a parent keeps is of no use to its workers
