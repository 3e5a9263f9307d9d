"""k-nearest-neighbour and radius graphs over batched, ragged point clouds."""

from functools import partial

import torch
from torch import Tensor

from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.neighbors.candidates import (
    CUDA_LIMIT,
    KNN_PACKAGES,
    KnnIndex,
    ScipyIndex,
    has_scipy,
    in_range,
    knn_of,
    search_candidates,
)
from ccnn_geo.neighbors.exact import search_exact
from ccnn_geo.neighbors.native import has_native
from ccnn_geo.neighbors.query import Query, make_query

BACKENDS = ("auto", "torch", "scipy", "device", *KNN_PACKAGES)
"""Search backends; ``torch`` computes all distances, compiled if possible; ``device`` is its way on a GPU."""


def build_neighbors(
    pos: Tensor,
    batch: Tensor | None = None,
    num_neighbors: int | None = 256,
    radius: float | None = None,
    pos_dst: Tensor | None = None,
    batch_dst: Tensor | None = None,
    loop: bool = True,
    backend: str = "auto",
) -> Neighbors:
    r"""Find the nearest sources of every target, in the same cloud.

    .. math::
        N(i) = \{\, j : |p_i - p_j| \le r \,\}, \text{ the first } k \text{ by } (|p_i - p_j|^2, j)

    The squared distance is the sum over axes of squared coordinate differences in float64, whatever the type
    of ``pos``; equal distances are ordered by index. All backends return the same edges in the same order. In a
    cloud with fewer than ``k`` points, all are neighbours. On devices without float64 (MPS) the search runs on the
    host.

    Args:
        pos: coordinates of the sources, and of the targets unless ``pos_dst`` is given.
        batch: cloud of each source, sorted; one cloud by default.
        num_neighbors: k, or ``None`` for no limit; if ``radius`` is ``None`` too, each target sees its whole cloud.
        radius: r, in the unit of ``pos`` (a source at exactly this distance is inside), or ``None``.
        pos_dst: coordinates of the targets, if they are different points.
        batch_dst: cloud of each target, sorted.
        loop: whether a point is a neighbour of itself; ``False`` excludes its index, not its duplicates.
        backend: ``"auto"``, ``"torch"``, ``"scipy"``, ``"device"`` (the way of ``"torch"`` on a GPU, also on a CPU),
            ``"cluster"`` (torch-cluster) or ``"pyg_lib"``. The last two serve up to 100 neighbours on CUDA; for more,
            and without a number, all distances are computed.

    Shapes:
        - ``pos``: ``[N, D]``, any floating type; ``batch``: ``[N]``
        - ``pos_dst``: ``[M, D]``; ``batch_dst``: ``[M]``

    Raises:
        TypeError: when positions are not floating point (integer lattice indices have no unit).
        ValueError: when positions are not finite, shapes do not fit, or ``batch`` is not sorted.
    """
    query = make_query(pos, batch, pos_dst, batch_dst, num_neighbors, radius, loop)
    edges, count = _search(query, backend)
    ptr = torch.zeros(count.numel() + 1, dtype=torch.int64, device=count.device)
    torch.cumsum(count, 0, out=ptr[1:])
    return Neighbors(edges, ptr, query.src.size(0), query.dst.size(0)).to(pos.device)


def knn(
    pos: Tensor,
    pos_dst: Tensor,
    k: int,
    batch: Tensor | None = None,
    batch_dst: Tensor | None = None,
    backend: str = "auto",
) -> Tensor:
    """Edges from the ``k`` nearest sources to each target; see :func:`build_neighbors`.

    Shapes:
        - ``pos``: ``[N, D]``; ``pos_dst``: ``[M, D]``; result: ``[2, E]``, source then target
    """
    return build_neighbors(pos, batch, k, None, pos_dst, batch_dst, backend=backend).edge_index


def radius(
    pos: Tensor,
    pos_dst: Tensor,
    r: float,
    batch: Tensor | None = None,
    batch_dst: Tensor | None = None,
    max_num_neighbors: int | None = None,
    backend: str = "auto",
) -> Tensor:
    """Edges from all sources within ``r`` (the nearest ``max_num_neighbors``) to each target.

    Shapes:
        - ``pos``: ``[N, D]``; ``pos_dst``: ``[M, D]``; result: ``[2, E]``, source then target
    """
    return build_neighbors(pos, batch, max_num_neighbors, r, pos_dst, batch_dst, backend=backend).edge_index


def knn_graph(
    pos: Tensor, k: int, batch: Tensor | None = None, loop: bool = True, backend: str = "auto"
) -> Tensor:
    """Edges from the ``k`` nearest points, including itself, to each point; see :func:`build_neighbors`.

    Shapes:
        - ``pos``: ``[N, D]``; ``batch``: ``[N]``; result: ``[2, E]``, source then target
    """
    return build_neighbors(pos, batch, k, loop=loop, backend=backend).edge_index


def radius_graph(
    pos: Tensor,
    r: float,
    batch: Tensor | None = None,
    loop: bool = True,
    max_num_neighbors: int | None = None,
    backend: str = "auto",
) -> Tensor:
    """Edges from all points within ``r`` (the nearest ``max_num_neighbors``) to each point.

    Shapes:
        - ``pos``: ``[N, D]``; ``batch``: ``[N]``; result: ``[2, E]``, source then target
    """
    return build_neighbors(pos, batch, max_num_neighbors, r, loop=loop, backend=backend).edge_index


def _search(query: Query, backend: str) -> tuple[Tensor, Tensor]:
    """Edges of every target, target by target, and their number per target."""
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(map(repr, BACKENDS))}, got {backend!r}")
    if backend == "auto":
        backend = _fastest(query)
    if backend == "scipy" and not has_scipy():
        raise ImportError("backend='scipy' needs scipy (pip install scipy); backend='torch' needs nothing")
    knn = knn_of(backend) if backend in KNN_PACKAGES else None
    # all points of a cloud, or only a radius for a backend that needs a number: nothing to propose
    unbounded = query.k is None and (query.radius is None or knn is not None)
    if backend in ("torch", "device") or unbounded or not in_range(query):
        return _all_pairs(query, on_device=query.src.device.type != "cpu" or backend == "device")
    if knn is not None:
        asked = min(query.k or 0, query.max_sources) + 1
        if query.src.device.type == "cuda" and asked > CUDA_LIMIT:
            return _all_pairs(query, on_device=True)
        return search_candidates(query, partial(KnnIndex, knn=knn))
    device = query.src.device
    edges, count = search_candidates(query.to("cpu"), ScipyIndex)
    return edges.to(device), count.to(device)


def _all_pairs(query: Query, on_device: bool) -> tuple[Tensor, Tensor]:
    if not on_device:
        return search_exact(query)
    from ccnn_geo.neighbors.device import search_device  # only GPUs need it

    return search_device(query)


def _fastest(query: Query) -> str:
    """The backend for ``"auto"``, as measured (``python -m ccnn_geo.experiments.benchmarks.bench_neighbors``).

    On one CPU core the k-d tree takes ``1.5 k`` ms for 8,192 targets (D = 3), all distances take ``0.003 N`` ms
    compiled and ``0.08 N`` ms in torch: they break even near N = 500 k and near N = 20 k. Trees of fewer than 4,096 or
    512 points cost more to build than they save. On a GPU all distances are the safe choice: torch-cluster compares
    all pairs there too, and only supports small k.
    """
    if query.src.device.type != "cpu" or query.src.size(1) > 3 or not has_scipy():
        return "torch"
    # only a radius: the tree counts neighbours before it lists any
    num_neighbors = 100 if query.k is None else query.k
    fewest, each = (4096, 512) if has_native() else (512, 20)
    return "scipy" if query.max_sources >= max(fewest, each * num_neighbors) else "torch"
