"""Fig. 12 of the paper: kernels learned on images as sequences repeat with the image's width.

python -m ccnn_geo.experiments.studies.fig12 --root FOLDER            # with mnist/, as its publisher ships it
python -m ccnn_geo.experiments.studies.fig12 --scale paper --root FOLDER            # sCIFAR10, CCNN-4,140

The paper shows a picture of the kernels. This study adds a number, and compares with fresh kernels that share only
the windows of the trained ones.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ccnn_geo import CCNN
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.training_job import train
from ccnn_geo.export.trained import read_network
from ccnn_geo.visualization import draw_kernels, render_kernels, save
from ccnn_geo.visualization.canvas import canvas

CONFIG = {"small": "smnist/ccnn_4_140", "paper": "scifar10/ccnn_4_140"}
WIDTH = {"small": 28, "paper": 32}
"""Pixels of a row of the images."""
SMALL: dict[str, Any] = {
    "model__preset": "ccnn_4_32",
    "model__kernel_hidden": 32,  # as CCNN-4,140
    "model__omega_0": 500.0,
    "model__window_init": 0.25,  # seven rows; the published window covers two
    "model__dropout": 0.0,
    "optim__warmup_epochs": 1,
    "data__limit": 6000,
    "trainer__max_epochs": 8,
}
FRESH = 3
"""Fresh networks for each trained one."""
BINS = 4096
"""Length of the transform of a kernel, which is padded to it."""
ROWS = 2.5
"""Rows of the image over which correlations are drawn."""


def periodic_share(kernels: Tensor, period: int) -> Tensor:
    r"""Share of each kernel's power at the harmonics of a period; about 1/2 for a kernel without that period.

    .. math::
        \sum_{|f P - n| < 1/4} |\hat k(f)|^2 \Big/ \sum_{f > 1/2P} |\hat k(f)|^2, \qquad n = 1, 2, \dots

    Changes slower than the period are in neither sum.

    Args:
        kernels: Kernels on consecutive taps.
        period: :math:`P` in taps.

    Shapes:
        - **kernels:** :math:`(C, K)`; **output:** :math:`(C)`
    """
    power = _power(kernels)
    turns = torch.arange(power.size(1), device=power.device) / BINS * period
    fast = turns > 0.5
    near = fast & ((turns - turns.round()).abs() < 0.25)
    return power[:, near].sum(dim=1) / power[:, fast].sum(dim=1)


def correlation(kernels: Tensor, lags: int) -> Tensor:
    """Cosine of kernels with shifted copies of themselves, where they overlap, without their mean.

    Shapes:
        - **kernels:** :math:`(C, K)`; **output:** :math:`(C, L)` for lags 0 to :math:`L - 1`
    """
    kernels = kernels.double() - kernels.double().mean(dim=1, keepdim=True)
    size = kernels.size(1)
    pairs = [(kernels[:, : size - n], kernels[:, n:]) for n in range(min(lags, size))]
    return torch.stack([torch.cosine_similarity(a, b, dim=1) for a, b in pairs], dim=1)


def _power(kernels: Tensor) -> Tensor:
    return torch.fft.rfft(kernels.double(), n=BINS).abs().square()


def untrained(network: CCNN, seed: int) -> CCNN:
    """A copy with the same windows and taps, and newly drawn kernel networks."""
    network = copy.deepcopy(network)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for conv in network.convs:
            conv.kernel.network.reset_parameters()
    return network


def measure(network: CCNN, period: int) -> list[Numbers]:
    """Measures a period in each layer's kernels, means over channels."""
    found = []
    for layer in render_kernels(network):
        kernels = layer.values
        found.append(
            {
                "layer": layer.name,
                "taps": kernels.size(1),
                "share": float(periodic_share(kernels, period).mean()),
                "correlation": correlation(kernels, round(ROWS * period)).mean(dim=0).tolist(),
            }
        )
    return found


def learned(options: Options, seed: int, folder: Path) -> Numbers:
    """Trains on sequences, then measures and draws the kernels, and measures fresh ones."""
    changes = SMALL if options.scale == "small" else {}
    found = train(folder, CONFIG[options.scale], seed, **changes, data__root=str(options.root))
    _, network = read_network(folder / "run" / "checkpoints" / "last.ckpt")
    period = WIDTH[options.scale]
    title = f"Learned kernels; dotted: every {period} taps, a row of the image"
    save(draw_kernels(render_kernels(network), title=title, period=period), folder / "kernels.png")
    found["trained"] = measure(network, period)
    found["fresh"] = [measure(untrained(network, FRESH * seed + s), period) for s in range(FRESH)]
    return found


def jobs(options: Options) -> Sequence[Job]:
    """A training of each seed."""
    return [Job(f"network-{seed}", partial(learned, options, seed)) for seed in options.seeds]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row per layer: trained kernels beside fresh ones."""
    period, runs = WIDTH[options.scale], [numbers[f"network-{seed}"] for seed in options.seeds]
    draw_correlations(runs, period, folder / "correlation.png")
    lines = [
        f"Images of {period} pixels a row; validation accuracy {mean_and_deviation([r['accuracy'] for r in runs])} %. "
        "Periodic power is the share of a kernel's power, without slow changes, at the harmonics of the row "
        f"(half of all frequencies); correlation is that of a kernel with itself {period} taps on. Means over channels "
        f"± deviation over networks; fresh: {FRESH} networks per trained one, with its windows.",
        "",
        "| | taps | periodic power, %, trained | fresh | correlation, trained | fresh |",
        "|---|---|---|---|---|---|",
    ]
    for k, layer in enumerate(runs[0]["trained"]):
        cells = [layer["layer"], f"{statistics.fmean(r['trained'][k]['taps'] for r in runs):.0f}"]
        for digits, of in ((1, lambda n: 100 * n["share"]), (2, lambda n: at_row(n, period))):
            cells.append(mean_and_deviation([of(r["trained"][k]) for r in runs], digits))
            cells.append(mean_and_deviation([of(fresh[k]) for r in runs for fresh in r["fresh"]], digits))
        lines.append(f"| {' | '.join(cells)} |")
    pictures = [f"![Learned kernels](jobs/network-{options.seeds[0]}/kernels.png)"]
    return "\n".join([*lines, "", "![Correlation of kernels with themselves](correlation.png)", *pictures])


def at_row(layer: Numbers, period: int) -> float:
    """Correlation at the period; zero for a kernel that ends before it."""
    found = layer["correlation"]
    return found[period] if len(found) > period else 0.0


def draw_correlations(runs: Sequence[Numbers], period: int, path: Path) -> None:
    """Draws correlation over the lag, a panel per layer: trained networks in colour, fresh ones in grey."""
    layers = [layer["layer"] for layer in runs[0]["trained"]]
    figure = canvas(11, 2.9)
    panels = figure.subplots(1, len(layers), sharey=True, squeeze=False)[0]
    for k, (axes, name) in enumerate(zip(panels, layers, strict=True)):
        for run in runs:
            for fresh in run["fresh"]:
                values = fresh[k]["correlation"]
                axes.plot(range(1, len(values)), values[1:], color="0.75", lw=0.7)
        for run in runs:
            values = run["trained"][k]["correlation"]
            axes.plot(range(1, len(values)), values[1:], color="tab:red", lw=1.2)
        for row in range(1, int(ROWS) + 1):
            axes.axvline(row * period, color="k", lw=0.7, ls=":")
        axes.set(title=name, xlabel="lag, taps", ylim=(-0.6, 1))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("correlation")
    figure.suptitle(f"Trained (red) and fresh kernels (grey); dotted: {period} taps, a row of the image")
    save(figure, path)


STUDY = Study(
    "fig12",
    "kernels learned on images as sequences",
    "Fig. 12 of the paper.",
    jobs,
    report,
    data="mnist/ (small) or cifar10/ (paper) as their publishers ship them, see ccnn-geo data info smnist",
    seeds=3,
)

if __name__ == "__main__":
    main(STUDY)
