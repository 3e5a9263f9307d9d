"""CUDA graphs of the simulated device: what is recorded is not asked for numbers, and is replayed in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

steps: list[Callable[[], None]] | None = None
"""What a graph does, while it is recorded."""
before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
"""Memory that was written meanwhile, and what it held: a device that records computes nothing."""


def is_recording() -> bool:
    return steps is not None


class Graph:
    """Stands for ``torch.cuda.CUDAGraph``: operators with the memory they have read and written."""

    def __init__(self, keep_graph: bool = False) -> None:
        self.steps: list[Callable[[], None]] = []

    def replay(self) -> None:
        """Does the same again with what is in that memory now."""
        with torch.no_grad():
            for step in self.steps:
                step()


class recording:
    """Stands for ``torch.cuda.graph``."""

    def __init__(self, cuda_graph: Graph, pool: Any = None, stream: Any = None, **options: Any) -> None:
        self.graph = cuda_graph

    def __enter__(self) -> None:
        global steps
        assert steps is None, "one graph at a time"
        steps = self.graph.steps

    def __exit__(self, *error: object) -> None:
        global steps
        steps = None
        for memory, held in before.values():
            memory.copy_(held)
        before.clear()


def refuse(kind: str, line: str) -> None:
    raise RuntimeError(f"CUDA error: operation not permitted when stream is capturing ({kind}: {line})")


def keep(given: Any) -> None:
    """Notes what memory holds that is going to be written."""
    for t in tree_leaves(given):
        if isinstance(t, Tensor) and _memory(t) not in before:
            memory = t.untyped_storage()
            before[_memory(t)] = (memory, memory.clone())


def note(compute: Callable[[], Any], given: Any, writes: bool, out: Any) -> None:
    """Adds an operator to the graph that is recorded.

    Args:
        compute: Computes it once more.
        given: What it takes.
        writes: Whether it changes that.
        out: Results; on a replay they are written where they are now, but for views.
    """
    assert steps is not None
    theirs = {_memory(t) for t in tree_leaves(given) if isinstance(t, Tensor)}
    results = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
    own = [_memory(t) not in theirs for t in results]
    if not writes and True not in own:
        return

    def step() -> None:
        found = [t for t in tree_leaves(compute()) if isinstance(t, Tensor)]
        for old, new, is_own in zip(results, found, own, strict=True):
            if is_own:
                old.copy_(new)

    steps.append(step)


def _memory(t: Tensor) -> int:
    return t.untyped_storage().data_ptr()
