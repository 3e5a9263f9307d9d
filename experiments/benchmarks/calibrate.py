"""Measures on this machine what ``method="auto"`` compares, and keeps it for all later processes.

python -m ccnn_geo.experiments.benchmarks.calibrate --device cuda [--scale 1] [--repeats 5] [--out FOLDER]

Sums run forward and backward as layers of a network run them: neighbours, lattices and meshes are there already. Sizes
at scale 1 are for a GPU, which smaller ones do not fill; a CPU wants a scale of 0.1. Delete the file that is written,
and the built-in figures count again.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from scipy.optimize import lsq_linear
from torch import Tensor

from ccnn_geo._base.device_costs import BUILT_IN, CPU, Costs, write_costs
from ccnn_geo._base.native.build import has_native
from ccnn_geo.experiments.benchmarks.timing import interleaved, machine
from ccnn_geo.functional.edge.compiled import has_compiled
from ccnn_geo.functional.grid.conv import grid_conv
from ccnn_geo.functional.grid.fft import fast_length
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.nn.conv.costs import edge_seconds, lattice_seconds, mesh_seconds
from ccnn_geo.nn.conv.paths import EdgePath, LatticePath, MeshPath
from ccnn_geo.nn.conv.plan import PointPlan

GRIDS = [
    *(((4096,), (31,)), ((4096,), (127,))),
    *(((64, 64), (7, 7)), ((64, 64), (15, 15))),
    *(((24, 24, 24), (3, 3, 3)), ((24, 24, 24), (7, 7, 7))),
]
"""Sizes of grids and kernels on either side of the break-even."""
NEIGHBORS, CLOUD, STEP = 32, 1024, 1 / 16
OPEN, CLOSED = 10.0, 1e-3
"""Windows that all edges lie in, and none but those of a point to itself."""
LEAST = 0.02
"""Share of the time that each of several figures explains at least."""
SMOOTH: dict[str, Any] = {"kernel": "siren", "omega_0": 0.3, "window_init": 0.3, "window_threshold": 1e-4}


@dataclass(frozen=True)
class Case:
    """A sum: the seconds that figures predict for it, and a pass forward and backward."""

    predict: Callable[[Costs], float]
    run: Callable[[], None]


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command with these arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--scale", type=float, default=1.0, help="factor of points and channels")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder; by default the package's cache folder")
    args = parser.parse_args(argv)
    if not args.scale > 0 or args.repeats < 1:
        parser.error(f"expected --scale > 0 and --repeats >= 1, got {args.scale:g} and {args.repeats}")
    try:
        device = torch.device(args.device)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        problem = str(error).splitlines()[0]
        parser.error(f"expected a device that torch has here, got --device {args.device}: {problem}")
    torch.manual_seed(0)
    print(machine())
    costs, before = calibrate(device, args.scale, args.repeats), BUILT_IN.get(device.type, CPU)
    for name, value in asdict(costs).items():
        print(f"{name:22s} {value:9.4g}   built in: {getattr(before, name):.4g}")
    print(write_costs(costs, device, args.out))


def calibrate(device: torch.device, scale: float, repeats: int) -> Costs:
    """All figures of a device; of code that it does not run, the built-in ones."""
    costs = BUILT_IN.get(device.type, CPU)
    on_host = device.type == "cpu"
    with without_compiled():
        costs = replace(costs, fft=fft_figure(device, scale, repeats))
        costs = fitted(costs, ("listed", "filter", "product"), edge_cases(device, scale), repeats)
        lattices = [lattice_case(device, scale, channels) for channels in (16, 64, 140)]
        costs = fitted(costs, ("lattice_listed", "lattice_channel"), lattices, repeats)
        meshes = [mesh_case(device, scale * part, channels) for part in (0.25, 1) for channels in (16, 64)]
        costs = fitted(costs, ("cell", "spread"), meshes, repeats)
    if on_host and has_native("fft_conv"):
        costs = replace(costs, compiled_fft=fft_figure(device, scale, repeats))
    if has_compiled(device.type):
        costs = fitted(costs, ("listed", "compiled_share"), edge_cases(device, scale), repeats)
    if has_native("lattice_conv") if on_host else has_compiled(device.type):
        lattices = [lattice_case(device, scale, channels) for channels in (16, 140)]
        costs = fitted(costs, ("lattice_compiled_share",), lattices, repeats)
    return costs


@contextlib.contextmanager
def without_compiled() -> Iterator[None]:
    """Operations of torch alone."""
    with mock.patch.dict(os.environ, {"CCNN_GEO_NATIVE": "0"}):
        yield


def fitted(costs: Costs, names: Sequence[str], cases: Sequence[Case], repeats: int) -> Costs:
    """Costs with figures that fit what cases take, by relative errors; the others stay as they are.

    None falls below a share of what would explain all the time alone: nothing is free.
    """
    seconds = np.array([interleaved({"": case.run}, repeats)[""] for case in cases])
    none = replace(costs, **dict.fromkeys(names, 0.0))
    rest = np.array([case.predict(none) for case in cases])
    units = [replace(none, **{name: 1.0}) for name in names]
    columns = np.array([[case.predict(unit) for unit in units] for case in cases]) - rest[:, None]
    columns /= seconds[:, None]
    least = LEAST / columns.max(axis=0)
    found = lsq_linear(columns, 1 - rest / seconds, bounds=(least, np.inf)).x
    return replace(costs, **dict(zip(names, found.tolist(), strict=True)))


def fft_figure(device: torch.device, scale: float, repeats: int) -> float:
    """The median factor that makes both ways of :data:`GRIDS` cost alike."""
    found = []
    for size, taps in GRIDS:
        x, kernel = (
            leaf(device, 4, channels_of(64, scale), *size),
            leaf(device, channels_of(64, scale), *taps),
        )
        center = [k // 2 for k in taps]
        ways = {way: partial(_convolve, x, kernel, center, way) for way in ("fft", "direct")}
        seconds = interleaved(ways, repeats)
        points = math.prod(fast_length(s + k) for s, k in zip(size, taps, strict=True))
        operations = points * math.log2(points) / (math.prod(size) * math.prod(taps))
        found.append(seconds["fft"] / seconds["direct"] / operations)
    return statistics.median(found)


def _convolve(x: Tensor, kernel: Tensor, center: Sequence[int], way: str) -> None:
    run(grid_conv(x, kernel, center, way))


def edge_cases(device: torch.device, scale: float) -> list[Case]:
    """Those that tell the figures of the loop over edges apart."""
    sizes = [(channels, hidden, OPEN) for channels in (16, 140) for hidden in (8, 32)]
    if device.type == "cpu":  # elsewhere no figure tells edges in a window from others
        sizes.append((16, 8, CLOSED))
    return [edge_case(device, scale, *size) for size in sizes]


def edge_case(device: torch.device, scale: float, channels: int, hidden: int, window: float) -> Case:
    """The loop over the edges of nearest neighbours."""
    pos, batch = cloud(device, scale)
    kernel = kernel_of(device, channels, kernel_hidden=hidden, omega_0=1.0, window_init=window)
    plan, x = PointPlan(pos, batch, num_neighbors=NEIGHBORS), leaf(device, pos.size(0), channels)
    return Case(lambda costs: edge_seconds(kernel, plan, costs), lambda: run(EdgePath(kernel, plan)(x, None)))


def lattice_case(device: torch.device, scale: float, channels: int) -> Case:
    """The sum by offsets of points on a lattice."""
    pos, batch = cloud(device, scale)
    pos = (pos / STEP).round() * STEP
    kernel = kernel_of(device, channels, kernel_hidden=8, omega_0=1.0, window_init=OPEN)
    plan = PointPlan(pos, batch, num_neighbors=NEIGHBORS, spacing=STEP)
    x, step = leaf(device, pos.size(0), channels), (STEP,) * 3
    return Case(
        lambda costs: lattice_seconds(kernel, plan, step, costs),
        lambda: run(LatticePath(kernel, plan)(x, None)),
    )


def mesh_case(device: torch.device, scale: float, channels: int) -> Case:
    """The sum over all points by a mesh."""
    pos, batch = cloud(device, scale)
    kernel = kernel_of(device, channels, kernel_hidden=8, **SMOOTH)
    plan, x = PointPlan(pos, batch), leaf(device, pos.size(0), channels)
    step = MeshPath(kernel, plan).step
    return Case(
        lambda costs: mesh_seconds(kernel, plan, step, costs), lambda: run(MeshPath(kernel, plan)(x, None))
    )


def cloud(device: torch.device, scale: float) -> tuple[Tensor, Tensor]:
    """Points in a box, and their clouds."""
    count = max(2 * NEIGHBORS, int(16 * CLOUD * scale))
    pos = torch.rand(count, 3) * 2 - 1
    return pos.to(device), (torch.arange(count) // CLOUD).to(device)


def kernel_of(device: torch.device, channels: int, **settings: Any) -> ContinuousKernel:
    """A kernel that learns."""
    return ContinuousKernel(3, channels, **settings).to(device)


def channels_of(most: int, scale: float) -> int:
    """Fewer channels at smaller scales."""
    return max(4, int(most * min(1.0, scale)))


def leaf(device: torch.device, *shape: int) -> Tensor:
    """Noise with a gradient."""
    return torch.randn(shape, device=device, requires_grad=True)


def run(out: Tensor) -> None:
    """The rest of a pass."""
    out.sum().backward()


if __name__ == "__main__":
    main()
