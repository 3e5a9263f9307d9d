"""Time and peak memory of a training step of a whole network on point clouds, and the neighbours' share of it.

python -m ccnn_geo.experiments.benchmarks.bench_step ccnn_4_32 [--points 512] [--neighbors 32] [--window 0.5] ...
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import nullcontext

import torch

from ccnn_geo import CCNN
from ccnn_geo.experiments.benchmarks.timing import machine, peak_memory, synchronize
from ccnn_geo.neighbors import build_neighbors
from ccnn_geo.nn.ccnn import PRESETS
from ccnn_geo.nn.conv.kernel_norms import collect_kernel_norms, l2_penalty


def main(argv: list[str] | None = None) -> None:
    """Prints the median seconds of a step and the peak memory above start."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--points", type=int, default=512)
    parser.add_argument("--neighbors", type=int, default=32)
    parser.add_argument("--omega", type=float, default=0.5)
    parser.add_argument("--window", type=float, default=0.5)
    parser.add_argument("--l2", type=float, default=0.0, help="factor of the penalty on generated kernels")
    parser.add_argument("--steps", type=int, default=4)
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = CCNN.from_preset(
        args.preset, 3, 6, 10, num_neighbors=args.neighbors, omega_0=args.omega, window_init=args.window
    ).to(device)
    optimizer = torch.optim.AdamW(model.parameters())
    size = args.batch * args.points
    pos = torch.nn.functional.normalize(torch.randn(size, 3, device=device), dim=-1)
    x = torch.randn(size, 6, device=device)
    batch = torch.arange(args.batch, device=device).repeat_interleave(args.points)
    start, seconds, search = peak_memory(), [], []
    for _ in range(args.steps + 1):
        synchronize()
        begin = time.perf_counter()
        build_neighbors(pos, batch, args.neighbors)
        synchronize()
        search.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        with collect_kernel_norms() if args.l2 > 0 else nullcontext() as norms:
            loss = model(x, pos, batch).square().mean()
        (loss if norms is None else loss + args.l2 * l2_penalty(norms)).backward()
        optimizer.step()
        optimizer.zero_grad()
        synchronize()
        seconds.append(time.perf_counter() - begin)
    print(f"{machine()}\n{vars(args)}")
    step, found = statistics.median(seconds[1:]), statistics.median(search[1:])
    print(
        f"step {step:.2f} s, of which neighbours {found:.3f} s ({found / step:.1%}), "
        f"peak {peak_memory() - start:.0f} MB above start"
    )


if __name__ == "__main__":
    main()
