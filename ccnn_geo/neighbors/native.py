"""All distances on the host, in one compiled function."""

import ctypes

import torch
from torch import Tensor

from ccnn_geo.neighbors.edges import empty_edges
from ccnn_geo.neighbors.query import Query

_THREAD_PAIRS = 1 << 15
"""Pairs of points for which one more thread pays."""
_MOST = 1 << 16
"""Neighbours of a target beyond which its candidates take too much memory."""
_LANES = 16


def search_native(query: Query) -> tuple[Tensor, Tensor] | None:
    """Edges of every target and their number per target, or ``None`` where there is no compiled function."""
    # those functions are built on neighbours
    from ccnn_geo.functional.native.build import arguments, native_function

    function = native_function("nearest")
    if function is None or query.max_sources >= 1 << 31:
        return None
    src_ptr, dst_ptr = torch.tensor(query.src_ptr), torch.tensor(query.dst_ptr)
    sources, targets = src_ptr.diff(), dst_ptr.diff()
    k = sources - int(not query.loop)
    k = k.clamp_(min=0, max=query.k)
    most = int(k.max()) if k.numel() else 0
    if most > _MOST:
        return None
    count = k.repeat_interleave(targets)
    src = query.src
    names = ("num_src", "num_dst", "dim", "clouds", "loop", "threads", "most")
    tensors = ("src", "dst", "src_ptr", "dst_ptr", "limit", "count", "ptr", "source", "target")
    kind = arguments(names, tensors)
    pairs = int((sources * targets).sum())
    threads = min(torch.get_num_threads(), 1 + pairs // _THREAD_PAIRS)
    sizes = (src.size(0), query.dst.size(0), src.size(1), len(sources), query.loop, threads, most)
    given = {"src": src, "dst": query.dst, "src_ptr": src_ptr, "dst_ptr": dst_ptr}

    def call(**more):
        args = kind(
            *sizes, **{n: t.data_ptr() for n, t in {**given, **more}.items()}
        )
        if function(ctypes.byref(args)) != 0:
            raise MemoryError("no memory")

    if query.radius is not None:
        found = torch.empty_like(count)
        call(limit=torch.tensor(query.radius * query.radius, dtype=torch.float64), count=found)
        count = torch.minimum(count, found)
    ptr = torch.zeros(count.numel() + 1, dtype=torch.int64)
    torch.cumsum(count, 0, out=ptr[1:])
    edges = empty_edges(int(ptr[-1]), src.device)
    call(ptr=ptr, source=edges[0], target=edges[1])
    return edges, count
