"""Effects of kernel frequencies on points: the same surface sampled twice, over omega_0 and over the low-pass.

    python -m ccnn_geo.experiments.studies.bandlimit

Fresh convolutions of smooth features on a unit sphere, at the same 256 places from two random samplings of 512 points.
If the sum over neighbours were the integral, both would give the same result.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ccnn_geo import SepFlexConv
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.neighbors import build_neighbors
from ccnn_geo.neighbors.farthest import farthest_points
from ccnn_geo.neighbors.measure import density_measure
from ccnn_geo.neighbors.spacing import estimate_spacing
from ccnn_geo.visualization.canvas import canvas, save
from ccnn_geo.visualization.style import PALETTE, in_style, legend_below

OMEGAS = (0.125, 0.25, 0.5, 1.0, 2.0, 5.0, 50.0)
LOW_PASSES = (0.0, 0.1, 0.2, 0.4)
"""Low-passes in units of the sphere's radius; with ``omega_0`` of :data:`LOW_PASSED`."""
LOW_PASSED = 2.0
SETTINGS = [*((omega, 0.0) for omega in OMEGAS), *((LOW_PASSED, s) for s in LOW_PASSES[1:])]
POINTS, TARGETS, CHANNELS, WINDOW = 512, 256, 32, 0.5
DENSE = 2048
"""Number of random points to choose the same number of evenly spread points from."""
LINE = 4096
DRIFTS = ("drift", "weighted", "even")


def sphere(count: int) -> Tensor:
    """Random points on the unit sphere, ``[count, 3]``."""
    return torch.nn.functional.normalize(torch.randn(count, 3), dim=1)


def layer(omega_0: float, low_pass: float) -> SepFlexConv:
    """A fresh convolution whose window holds some 30 points of a sampling."""
    conv = SepFlexConv(
        CHANNELS,
        CHANNELS,
        3,
        kernel_hidden=32,
        omega_0=omega_0,
        window_init=WINDOW,
        num_neighbors=None,
        low_pass=low_pass,
    )
    return conv.eval()


def features(pos: Tensor) -> Tensor:
    """Smooth functions of position, ``[N, CHANNELS]``: products of up to two coordinates, mixed."""
    basis = torch.cat([torch.ones_like(pos[:, :1]), pos, pos.square(), pos * pos.roll(1, 1)], dim=1)
    mixing = torch.randn(basis.size(1), CHANNELS, generator=torch.Generator().manual_seed(0))
    return basis @ mixing / basis.size(1) ** 0.5


@torch.no_grad()
def measure(omega_0: float, low_pass: float, seed: int, folder: Path) -> Numbers:
    """Measures the difference of the sums over two samplings, relative to their size, and a line through one kernel."""
    torch.manual_seed(seed)
    targets, first, second = sphere(TARGETS), sphere(POINTS), sphere(POINTS)
    conv = layer(omega_0, low_pass)

    def sums(pos: Tensor, weight: Tensor | None = None) -> Tensor:
        edges = build_neighbors(pos, None, None, pos_dst=targets)
        return conv((features(pos), None), (pos, targets), edges, weight=weight)

    along = torch.zeros(LINE, 3)
    along[:, 0] = torch.linspace(-1, 1, LINE)
    line = conv.kernel(along)[:, 0]
    return {
        "drift": _drift(sums(first), sums(second)),
        "weighted": _drift(*(sums(pos, density_measure(pos)) for pos in (first, second))),
        "even": _drift(*(sums(_even(DENSE)) for _ in range(2))),
        "spacing": estimate_spacing(first, intrinsic_dim=2).item(),
        "line": (line / line.abs().max())[:: LINE // 512].tolist(),
        "spectrum": _spectrum(line, 2 / (LINE - 1)).tolist(),
    }


def _even(dense: int) -> Tensor:
    pos = sphere(dense)
    return pos[farthest_points(pos, POINTS)]


def _drift(a: Tensor, b: Tensor) -> float:
    return ((a - b).norm() / math.sqrt(0.5 * (a.square().sum() + b.square().sum()))).item()


def _spectrum(line: Tensor, step: float) -> Tensor:
    """Share of the energy above 0, 1, 2, ... 128 rad per unit."""
    energy = torch.fft.rfft(line.double(), n=8 * line.numel()).abs().square()
    frequency = torch.fft.rfftfreq(8 * line.numel(), step).double() * 2 * math.pi
    return torch.stack([energy[frequency >= f].sum() for f in range(129)]) / energy.sum()


def jobs(options: Options) -> Sequence[Job]:
    """A measurement of each row and seed."""
    return [
        Job(f"omega_{omega:g}-low_pass_{s:g}-{seed}", partial(measure, omega, s, seed))
        for omega, s in SETTINGS
        for seed in options.seeds
    ]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a table of drifts, and draws the picture of docs/bandlimit.md."""

    def of(omega: float, low_pass: float) -> list[Numbers]:
        return [numbers[f"omega_{omega:g}-low_pass_{low_pass:g}-{seed}"] for seed in options.seeds]

    spacing = statistics.fmean(n["spacing"] for n in of(OMEGAS[0], 0.0))
    nyquist = math.pi / spacing
    lines = [
        f"{POINTS} random points on the unit sphere are {spacing:.2f} apart: {nyquist:.0f} rad per unit at most.",
        "",
        "The drift between two samplings: points with equal weights, with density weights, and evenly spread ones out "
        f"of {DENSE:,} random points:",
        "",
        "| omega_0 | low-pass | energy above that, % | drift | with density weights | evenly spread |",
        "|---|---|---|---|---|---|",
    ]
    for omega, s in SETTINGS:
        found = of(omega, s)
        above = mean_and_deviation([100 * n["spectrum"][round(nyquist)] for n in found])
        drifts = (mean_and_deviation([n[key] for n in found], 2) for key in DRIFTS)
        lines.append(f"| {omega:g} | {s:g} | {above} | {' | '.join(drifts)} |")
    _draw(of, spacing, folder / "bandlimit.png")
    return "\n".join([*lines, "", "![Kernels, their spectra, and their drift](bandlimit.png)"])


@in_style()
def _draw(of: Callable[[float, float], list[Numbers]], spacing: float, path: Path) -> None:
    figure = canvas(12, 3.6)
    line, spectrum, drift = figure.subplots(1, 3)
    for omega, color in ((50.0, PALETTE[1]), (0.5, PALETTE[0])):
        found = of(omega, 0.0)[0]
        values = found["line"]
        r = [-1 + 2 * i / len(values) for i in range(len(values))]
        line.plot(r, values, color=color, lw=1.2, label=f"omega_0 {omega:g}")
        means = [statistics.fmean(n["spectrum"][f] for n in of(omega, 0.0)) for f in range(129)]
        spectrum.plot(range(129), [100 * m for m in means], color=color, lw=1.4)
    ticks = [i * spacing for i in range(-int(1 / spacing), int(1 / spacing) + 1)]
    line.plot(ticks, [0] * len(ticks), "k|", ms=9, label=f"points {spacing:.2f} apart")
    line.set(xlabel="relative position", title="a kernel, along a line")
    legend_below(line, 2)
    spectrum.axvline(math.pi / spacing, color="k", ls=":", lw=1)
    spectrum.set(xlabel="frequency, rad per unit", title="energy above a frequency, %")
    plain, passed = [(w, 0.0) for w in OMEGAS], [(LOW_PASSED, s) for s in LOW_PASSES]
    for values, key, name, color, x in (
        (plain, "drift", "no low-pass", "#555555", OMEGAS),
        (plain, "weighted", "with density weights", PALETTE[4], OMEGAS),
        (plain, "even", "evenly spread", PALETTE[3], OMEGAS),
        (passed, "drift", "low-pass 0 to 0.4", PALETTE[2], [LOW_PASSED] * len(LOW_PASSES)),
    ):
        means = [statistics.fmean(n[key] for n in of(*v)) for v in values]
        drift.plot(x, means, "o-", color=color, lw=1.4, ms=4, label=name)
    drift.set(xscale="log", ylim=(0, None), xlabel="omega_0", title="drift between two samplings")
    legend_below(drift, 2)
    for axes in (line, spectrum, drift):
        axes.grid(True)
    save(figure, path)


STUDY = Study(
    "bandlimit",
    "the effect of kernels above the points' Nyquist rate",
    "Beyond the paper: docs/bandlimit.md.",
    jobs,
    report,
    seeds=5,
)

if __name__ == "__main__":
    main(STUDY)
