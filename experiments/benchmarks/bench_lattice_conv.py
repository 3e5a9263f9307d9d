"""Time and memory of a convolution of voxels: one kernel per distinct offset against one per edge.

    python -m ccnn_geo.experiments.benchmarks.bench_lattice_conv [--window 3.0] [--points 512] [--neighbors 256] ...

Prints seconds of a forward and of a forward + backward pass of both paths: the median of repeats, in turn in one
process. Finding the spacing and the offsets, which all layers share, counts in full and is also shown. Prints the peak
memory above start, each in a fresh process, and the relative differences from the edge path in float64. In float32
the edge path's error comes mostly from subtracting rounded positions, which the lattice path avoids.
"""

from __future__ import annotations

import argparse
import json
import math

import torch
from torch import Tensor

from ccnn_geo.experiments.benchmarks.timing import (
    forget_peak,
    interleaved,
    machine,
    peak_above_start,
    peak_memory,
)
from ccnn_geo.functional.edge.conv import edge_conv
from ccnn_geo.functional.lattice.conv import lattice_conv, render
from ccnn_geo.functional.lattice.offsets import LatticeOffsets, detect_spacing
from ccnn_geo.functional.representations import voxelize
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors import build_neighbors

SURFACE_POINTS = 40_000


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the options of the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--bins", type=int, default=40, help="voxels along each axis")
    parser.add_argument("--points", type=int, default=512, help="voxels kept of each shape")
    parser.add_argument("--neighbors", type=int, default=256)
    parser.add_argument("--channels", type=int, default=140)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--omega", type=float, default=50.0)
    parser.add_argument("--window", type=float, default=3.0, help="sigma; 3.0 drops no edge")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peak", choices=("edge", "lattice"), help="run one path once and print JSON")
    return parser.parse_args(argv)


def tori(count: int, bins: int, points: int) -> tuple[Tensor, Tensor]:
    """Voxels of rotated tori of different widths, ``points`` of each, in random order."""
    clouds = []
    for tube in torch.linspace(0.15, 0.45, count).tolist():
        u, v = 2 * math.pi * torch.rand(2, SURFACE_POINTS, dtype=torch.float64)
        ring = 1 - tube + tube * v.cos()
        surface = torch.stack([ring * u.cos(), ring * u.sin(), tube * v.sin()], dim=1)
        turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
        voxels, _, _ = voxelize(surface @ turn, bins)
        clouds.append(voxels[torch.randperm(len(voxels))[:points]])
    sizes = torch.tensor([len(cloud) for cloud in clouds])
    return torch.cat(clouds), torch.arange(count).repeat_interleave(sizes)


class Setting:
    """One batch of voxels, its neighbours and a kernel."""

    def __init__(self, args: argparse.Namespace, dtype: torch.dtype = torch.float32) -> None:
        torch.manual_seed(0)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        pos, batch = tori(args.batch, args.bins, args.points)
        self.pos = pos.to(device, dtype)
        # a lattice has many equal distances, and rounding would order them differently in another precision
        self.neighbors = build_neighbors(pos.to(device), batch.to(device), num_neighbors=args.neighbors)
        self.kernel = ContinuousKernel(
            3, args.channels, kernel_hidden=args.hidden, omega_0=args.omega, window_init=args.window
        ).to(device, dtype)
        x, self.cotangent = torch.randn(2, len(pos), args.channels).to(device, dtype)
        self.x = x.requires_grad_()

    def offsets(self) -> LatticeOffsets:
        spacing = detect_spacing(self.pos)
        assert spacing is not None, "voxels lie on a lattice"
        return LatticeOffsets.build(self.pos, self.pos, self.neighbors, spacing)

    def edge(self) -> Tensor:
        return edge_conv(self.x, self.pos, self.pos, self.neighbors, self.kernel)

    def lattice(self, offsets: LatticeOffsets | None = None) -> Tensor:
        table, kept = render(self.kernel, self.offsets() if offsets is None else offsets)
        return lattice_conv(self.x, table, kept)

    @torch.no_grad()
    def forward(self, path: str) -> Tensor:
        return self.edge() if path == "edge" else self.lattice()

    def gradients(self, path: str) -> list[Tensor]:
        out = self.edge() if path == "edge" else self.lattice()
        return list(torch.autograd.grad(out, (self.x, *self.kernel.parameters()), self.cotangent))


def relative_difference(first: list[Tensor], second: list[Tensor]) -> float:
    """Largest l2 distance of two lists of tensors, relative to the second."""
    pairs = zip(first, second, strict=True)
    return max(((a.to(b) - b).norm() / b.norm()).item() for a, b in pairs)


def main(argv: list[str] | None = None) -> None:
    """Runs the command with these arguments."""
    args = parse(argv)
    setting = Setting(args)
    if args.peak:
        start = forget_peak()  # the search for neighbours needs more memory than a convolution
        setting.forward(args.peak)
        forward = peak_memory() - start
        setting.gradients(args.peak)
        print(json.dumps({"forward": forward, "both": peak_memory() - start}))
        return
    offsets = setting.offsets()
    print(machine())
    print(
        f"B={args.batch} N={args.points} k={args.neighbors} C={args.channels} H={args.hidden} sigma={args.window}: "
        f"{offsets.num_edges} edges, {offsets.num_offsets} offsets"
    )
    seconds = interleaved(
        {
            "edge forward": lambda: setting.forward("edge"),
            "lattice forward": lambda: setting.forward("lattice"),
            "edge both": lambda: setting.gradients("edge"),
            "lattice both": lambda: setting.gradients("lattice"),
            "offsets": setting.offsets,
        },
        args.repeats,
    )
    settings = [f"--{k}={v}" for k, v in vars(args).items() if k != "peak"]
    peaks = {
        path: peak_above_start(
            "ccnn_geo.experiments.benchmarks.bench_lattice_conv", *settings, f"--peak={path}"
        )
        for path in ("edge", "lattice")
    }
    print(f"{'path':28s} {'forward':>9s} {'fwd + bwd':>10s} {'peak':>9s}")
    for path in ("edge", "lattice"):
        forward, both = seconds[f"{path} forward"], seconds[f"{path} both"]
        print(f"{path:28s} {forward:7.3f} s {both:8.3f} s {peaks[path]['both']:6.0f} MB")
    ratios = [seconds[f"edge {key}"] / seconds[f"lattice {key}"] for key in ("forward", "both")]
    memory = peaks["edge"]["both"] / max(peaks["lattice"]["both"], 1e-9)
    print(f"{'ratio':28s} {ratios[0]:8.1f}x {ratios[1]:9.1f}x {memory:8.1f}x")
    print(f"{'of it spacing and offsets':28s} {seconds['offsets']:7.3f} s")
    exact = Setting(args, torch.float64)
    for name, other, path in (
        ("lattice float64", exact, "lattice"),
        ("lattice float32", setting, "lattice"),
        ("edge float32", setting, "edge"),
    ):
        values = relative_difference([other.forward(path)], [exact.forward("edge")])
        gradients = relative_difference(other.gradients(path), exact.gradients("edge"))
        print(f"{name:28s} differs by {values:.1e} in values, {gradients:.1e} in gradients")


if __name__ == "__main__":
    main()
