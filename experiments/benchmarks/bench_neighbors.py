"""Neighbour search: all distances against a tree, the choice of ``backend="auto"``; devices; neighbours found once.

python -m ccnn_geo.experiments.benchmarks.bench_neighbors
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from ccnn_geo._base.native.build import native_status
from ccnn_geo._base.pyg import Batch, Data
from ccnn_geo.experiments.benchmarks.timing import interleaved, machine
from ccnn_geo.neighbors import Neighbors, build_neighbors
from ccnn_geo.neighbors.build import _fastest
from ccnn_geo.neighbors.edges import empty_edges
from ccnn_geo.neighbors.native import has_native
from ccnn_geo.neighbors.query import make_query
from ccnn_geo.neighbors.select import smallest
from ccnn_geo.neighbors.topk import smallest_columns, smallest_of
from ccnn_geo.training.data.neighbor_cache import NeighborCache, restore_edges
from ccnn_geo.transforms import BuildNeighbors

TARGETS = 8192


def main(
    sizes: tuple[int, ...] = (512, 1024, 2048, 4096, 8192), counts: tuple[int, ...] = (16, 64, 256)
) -> None:
    """Prints milliseconds for 8,192 points on spheres, in clouds of N points, for ordering alone, and for a batch."""
    print(f"{machine()}\n{native_status('nearest')}")
    print(f"{TARGETS:,} targets in all; all distances compiled / in torch / k-d tree, and the choice, ms")
    for size in sizes:
        pos, batch = _sphere(TARGETS), torch.arange(TARGETS) // size
        cells = []
        for k in counts:
            search = partial(build_neighbors, pos, batch, num_neighbors=k)
            cases: dict[str, Callable[[], object]] = {
                **_all_distances(search),
                "scipy": partial(search, backend="scipy"),
            }
            seconds = interleaved(cases, repeats=5)
            chosen = _fastest(make_query(pos, batch, None, None, k, None, True))
            cells.append(f"k={k}: {' / '.join(f'{1e3 * s:4.0f}' for s in seconds.values())} {chosen}")
        print(f"N={size:5d}  " + "   ".join(cells))
    _kinds()
    _device()
    d2 = torch.rand(4096, 512, dtype=torch.float64)
    cases = {"ours": lambda: smallest(d2, 256), "stable sort": lambda: d2.sort(stable=True)}
    ours, sort = interleaved(cases, repeats=5).values()
    print(f"256 smallest of 4,096 x 512: {1e3 * ours:.0f} ms, stable sort {1e3 * sort:.0f} ms")
    for size, k in ((512, 32), (1024, 256)):
        _batches(size, k)


def _kinds() -> None:
    """Prints the same for other points and numbers of neighbours, and the least time to write that many edges."""
    num, size = 2 * TARGETS, min(1024, TARGETS)
    batch, sphere = torch.arange(num) // size, _sphere(num)
    cells = torch.randint(0, 10, (num, 3))
    for name, pos, k in (
        ("sphere", sphere, 256),
        ("lattice", cells.double(), 256),
        ("lattice of rounded spacing", cells * 0.1, 256),
        ("five axes", torch.randn(num, 5), 256),
        ("sphere", sphere, None),
    ):
        seconds = interleaved(
            _all_distances(partial(build_neighbors, pos, batch, num_neighbors=k)), repeats=5
        )
        cell = " / ".join(f"{1e3 * s:.0f}" for s in seconds.values())
        print(f"{num // size} clouds of {size:,}, {name}, k={k}: {cell} ms")
    (zeros,) = interleaved({"zeros": lambda: empty_edges(256 * num, pos.device).zero_()}, repeats=11).values()
    print(f"zeros instead of the edges for k=256: {1e3 * zeros:.1f} ms")


def _device() -> None:
    """Prints what the search for devices takes on the GPU, if there is one; on a CPU it is for tests only."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for clouds, size, k in ((16, TARGETS // 8, 32), (16, TARGETS // 8, 256), (1, 4 * TARGETS, 32)):
        pos, batch = _sphere(clouds * size).to(device), torch.arange(clouds * size, device=device) // size
        search = partial(build_neighbors, pos, batch, num_neighbors=min(k, size), backend="device")
        (seconds,) = interleaved({"device": search}, repeats=3).values()
        print(f"search for devices, on {device}, {clouds} clouds of {size:,}, k={k}: {1e3 * seconds:.1f} ms")
    d2 = torch.rand(TARGETS // 2, 1024, dtype=torch.float64, device=device)
    ids = torch.arange(1024, dtype=torch.int32, device=device)
    for k in (32, 256, 512):  # where the sort is faster, its bound in smallest_columns should be lower
        cases: dict[str, Callable[[], object]] = {
            "topk": partial(smallest_of, d2, ids, k, 1024),
            "stable sort": partial(torch.sort, d2, stable=True),
            "taken": partial(smallest_columns, d2, k),
        }
        cell = ", ".join(f"{name} {1e3 * s:.1f}" for name, s in interleaved(cases, repeats=3).items())
        print(f"{k} smallest of {d2.size(0):,} x 1,024 on {device}: {cell} ms")


def _all_distances(search: Callable[..., Neighbors]) -> dict[str, Callable[[], Neighbors]]:
    """The search over all distances, compiled if there is a compiler, and without one."""

    def in_torch() -> Neighbors:
        with mock.patch.dict(os.environ, CCNN_GEO_NATIVE="0"):
            return search(backend="torch")

    cases: dict[str, Callable[[], Neighbors]] = {"torch": in_torch}
    return {"compiled": partial(search, backend="torch"), **cases} if has_native() else cases


def _batches(size: int, k: int, clouds: int = 16) -> None:
    """Prints the cost of a batch with its neighbours: searched, collated from ``Data``, restored from the cache."""
    plain = [Data(pos=_sphere(size)) for _ in range(clouds)]
    stored = [BuildNeighbors(k)(data.clone()) for data in plain]
    cache = NeighborCache(_Copies(plain), k, 1 << 30)

    def given(batch: Batch) -> Neighbors:
        return Neighbors.from_edge_index(batch.edge_index, batch.num_nodes, batch.num_nodes)

    def search() -> Neighbors:
        batch = Batch.from_data_list(plain)
        return build_neighbors(batch.pos, batch.batch, k)

    seconds = interleaved(
        {
            "search": search,
            "edge_index of each Data": lambda: given(Batch.from_data_list(stored)),
            "cache": lambda: given(restore_edges(Batch.from_data_list([cache[i] for i in range(clouds)]))),
        },
        repeats=11,
    )
    cells = ", ".join(f"{name} {1e3 * value:.0f} ms" for name, value in seconds.items())
    print(f"batch of {clouds} x {size:,} points, k={k}: {cells}")


class _Copies(list):
    """Copies every sample, as a data set makes a new ``Data`` at every access."""

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index).clone()


def _sphere(num: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(num, 3), dim=-1)


if __name__ == "__main__":
    main()
