"""Neighbours from all distances on the host, in one compiled function."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import torch
from torch import Tensor

from ccnn_geo.neighbors.edges import empty_edges
from ccnn_geo.neighbors.query import Query

THREAD_PAIRS = 1 << 16
"""Pairs of points that justify one more thread."""
MAX_NEIGHBORS = 1 << 16
"""Largest number of neighbours per target; each thread keeps candidates for 16 targets at a time."""
SIZES = ("num_src", "num_dst", "dim", "clouds", "loop", "threads", "most")
TENSORS = ("src", "dst", "src_ptr", "dst_ptr", "limit", "count", "ptr", "source", "target")


def has_native() -> bool:
    """Whether the compiled search exists here."""
    return _function() is not None


def search_native(query: Query) -> tuple[Tensor, Tensor] | None:
    """Edges of every target, target by target, and their number per target.

    ``None`` without a compiled function, and for more than :data:`MAX_NEIGHBORS` neighbours.
    """
    function = _function()
    if function is None:
        return None
    # compiled functions are built on neighbours
    from ccnn_geo._base.native.build import addresses

    src_ptr, dst_ptr = torch.tensor(query.src_ptr), torch.tensor(query.dst_ptr)
    sources, targets = src_ptr.diff(), dst_ptr.diff()
    width = (sources - int(not query.loop)).clamp_(min=0, max=query.k)
    most = int(width.max())
    if most > MAX_NEIGHBORS:
        return None
    pairs = int((sources * targets).sum())
    threads = min(torch.get_num_threads(), 1 + pairs // THREAD_PAIRS)
    num_src, dim = query.src.shape
    sizes = (num_src, query.dst.size(0), dim, sources.numel(), query.loop, threads, most)
    given = {"src": query.src, "dst": query.dst, "src_ptr": src_ptr, "dst_ptr": dst_ptr}

    def call(**more: Tensor) -> None:
        if function(ctypes.byref(_arguments()(*sizes, **addresses(**given, **more)))) != 0:
            raise MemoryError(
                f"neighbours: not enough memory for distances to the {query.max_sources} points of a cloud"
            )

    count = width.repeat_interleave(targets)
    if query.radius is not None:
        inside = torch.empty_like(count)
        call(limit=torch.tensor(query.radius * query.radius, dtype=torch.float64), count=inside)
        count = torch.minimum(count, inside)
    ptr = torch.zeros(count.numel() + 1, dtype=torch.int64)
    torch.cumsum(count, 0, out=ptr[1:])
    edges = empty_edges(int(ptr[-1]), query.src.device)
    call(ptr=ptr, source=edges[0], target=edges[1])
    return edges, count


def _function() -> Callable[..., int] | None:
    # compiled functions are built on neighbours
    from ccnn_geo._base.native.build import native_function

    return native_function("nearest")


@functools.cache
def _arguments() -> type[ctypes.Structure]:
    from ccnn_geo._base.native.build import arguments

    return arguments(SIZES, TENSORS)
