"""Time and memory of a point convolution: chunked path against one kernel per edge.

    python -m ccnn_geo.experiments.bench_edge_conv [--window 3.0] [--points 512] [--neighbors 256] ...

Prints seconds of a forward and of a forward + backward pass (median of interleaved repeats) and the peak
memory above start, each measured in a fresh process.
"""

from __future__ import annotations

import argparse
import json
import time

import torch

from ccnn_geo import SepFlexConv
from ccnn_geo.experiments.timing import machine, peak_above_start, peak_memory, synchronize
from ccnn_geo.neighbors import build_neighbors


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--points", type=int, default=512)
    parser.add_argument("--neighbors", type=int, default=256)
    parser.add_argument("--channels", type=int, default=140)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument(
        "--window", type=float, default=3.0, help="sigma; 3.0 drops no edge of the unit sphere"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--method", choices=("auto", "plain"), help="run one method and print JSON")
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> dict[str, float]:
    """One method in this process: its times and its peak."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = args.batch * args.points
    pos = torch.nn.functional.normalize(torch.randn(size, 3, device=device), dim=-1)
    x = torch.randn(size, args.channels, device=device, requires_grad=True)
    batch = torch.arange(args.batch, device=device).repeat_interleave(args.points)
    neighbors = build_neighbors(pos, batch, num_neighbors=args.neighbors)
    conv = SepFlexConv(
        args.channels,
        args.channels,
        3,
        kernel_hidden=args.hidden,
        window_init=args.window,
        method=args.method,
        num_taps=args.neighbors,  # declared: no first batch to measure
    ).to(device)
    start = peak_memory()
    forward, total = [], []
    for _ in range(args.repeats + 1):
        synchronize()
        t0 = time.perf_counter()
        with torch.no_grad():
            conv(x, pos, neighbors)
        synchronize()
        t1 = time.perf_counter()
        conv(x, pos, neighbors).sum().backward()
        synchronize()
        forward.append(t1 - t0)
        total.append(time.perf_counter() - t1)
    return {
        "forward": sorted(forward[1:])[args.repeats // 2],
        "both": sorted(total[1:])[args.repeats // 2],
        "peak": peak_memory() - start,
    }


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    if args.method:
        print(json.dumps(run(args)))
        return
    settings = [f"--{k}={v}" for k, v in vars(args).items() if k != "method"]
    print(machine())
    print(
        f"B={args.batch} N={args.points} k={args.neighbors} C={args.channels} H={args.hidden} sigma={args.window}"
    )
    print(f"{'form':28s} {'forward':>9s} {'fwd + bwd':>10s} {'peak':>9s}")
    rows = {}
    for method, name in (("plain", "kernel per edge, autograd"), ("auto", "chunked, recomputed")):
        row = rows[method] = peak_above_start(
            "ccnn_geo.experiments.bench_edge_conv", *settings, f"--method={method}"
        )
        print(f"{name:28s} {row['forward']:7.3f} s {row['both']:8.3f} s {row['peak']:6.0f} MB")
    ratios = {key: rows["plain"][key] / max(rows["auto"][key], 1e-9) for key in rows["auto"]}
    print(f"{'ratio':28s} {ratios['forward']:8.1f}x {ratios['both']:9.1f}x {ratios['peak']:8.1f}x")


if __name__ == "__main__":
    main()
