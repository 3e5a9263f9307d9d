"""Memory that a network keeps as it sees more and more sizes: oneDNN remembers each size.

python -m ccnn_geo.experiments.benchmarks.bench_sizes ccnn_4_16 [--sizes 3000] [--evaluate] [--bfloat16] [--dim 3
--grid]
"""

from __future__ import annotations

import argparse
import gc
import random
from pathlib import Path

import torch
from torch import Tensor

from ccnn_geo import CCNN
from ccnn_geo.nn.ccnn import PRESETS

GRIDS = {1: (100, 3000), 2: (20, 80), 3: (8, 24)}
"""Shortest and longest sides of grids."""
POINTS = (100, 3099)
"""Fewest and most points of a cloud."""


def main(argv: list[str] | None = None) -> None:
    """Prints the growth of the process's resident memory since the first few sizes, after each third of all sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--sizes", type=int, default=3000)
    parser.add_argument("--dim", type=int, default=3)
    parser.add_argument("--grid", action="store_true", help="grids instead of clouds")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--evaluate", action="store_true", help="no gradients")
    parser.add_argument("--bfloat16", action="store_true", help="autocast")
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    draw = random.Random(0)
    model = CCNN.from_preset(
        args.preset, args.dim, 6, 10, omega_0=0.5, window_init=0.3, num_neighbors=16, method=args.method
    )
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)

    def sample(largest: bool) -> tuple[Tensor, ...]:
        if args.grid:
            low, high = GRIDS[args.dim]
            size = [high if largest else draw.randint(low, high) for _ in range(args.dim)]
            return (torch.randn(1, 6, *size),)
        n = POINTS[1] if largest else draw.randint(*POINTS)
        return torch.randn(n, 6), torch.rand(n, args.dim), torch.arange(n) * 2 // n

    def step(largest: bool = False) -> None:
        with torch.set_grad_enabled(not args.evaluate):
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16):
                out = model(*sample(largest))
            if not args.evaluate:
                optimizer.zero_grad()
                out.float().square().mean().backward()
                optimizer.step()

    step(largest=True)
    model.train(not args.evaluate)
    for i in range(20):
        step(largest=i % 2 == 0)
    gc.collect()
    before = resident()
    for i in range(1, args.sizes + 1):
        step()
        if i % max(1, args.sizes // 3) == 0:
            gc.collect()
            print(f"{i} sizes: {(resident() - before) / 1e6:+.1f} MB", flush=True)


def resident() -> int:
    """Bytes of this process in memory, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


if __name__ == "__main__":
    main()
