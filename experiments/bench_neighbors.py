"""Neighbour search: all distances against a tree, the rule of ``backend="auto"``.

python -m ccnn_geo.experiments.bench_neighbors
"""

from __future__ import annotations

from functools import partial

import torch

from ccnn_geo.experiments.timing import interleaved, machine
from ccnn_geo.neighbors import build_neighbors
from ccnn_geo.neighbors.select import smallest

TARGETS = 8192


def main(sizes: tuple[int, ...] = (512, 2048, 8192), counts: tuple[int, ...] = (16, 64, 256)) -> None:
    """Prints milliseconds for 8,192 points on spheres, in clouds of N points, and for ordering alone."""
    print(f"{machine()}\n{TARGETS:,} targets in all; torch / scipy, ms")
    for size in sizes:
        pos = torch.nn.functional.normalize(torch.randn(TARGETS, 3), dim=-1)
        batch = torch.arange(TARGETS) // size
        cells = []
        for k in counts:
            seconds = interleaved(
                {
                    name: partial(build_neighbors, pos, batch, num_neighbors=k, backend=name)
                    for name in ("torch", "scipy")
                },
                repeats=3,
            )
            cells.append(f"k={k}: {1e3 * seconds['torch']:5.0f} / {1e3 * seconds['scipy']:5.0f}")
        print(f"N={size:5d}  " + "   ".join(cells))
    d2 = torch.rand(4096, 512, dtype=torch.float64)
    cases = {"ours": lambda: smallest(d2, 256), "stable sort": lambda: d2.sort(stable=True)}
    ours, sort = interleaved(cases, repeats=5).values()
    print(f"256 smallest of 4,096 x 512: {1e3 * ours:.0f} ms, stable sort {1e3 * sort:.0f} ms")


if __name__ == "__main__":
    main()
