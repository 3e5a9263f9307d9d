"""Fig. 6 of the paper: logits of fresh networks with and without the scale of the kernels.

python -m ccnn_geo.experiments.studies.fig6 [--scale paper]
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from ccnn_geo import CCNN
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.studies.unit_variance import CARRIERS, inputs
from ccnn_geo.visualization.canvas import canvas, save

SHOWN = {"small": ("sequence 1,024", "image 32 x 32", "cloud 512"), "paper": tuple(CARRIERS)}
CLASSES, BATCH = 100, 4
"""Many classes and few samples, for a histogram of 400 logits."""


@torch.no_grad()
def logits(carrier: str, seed: int, folder: Path) -> Numbers:
    """Logits of a second batch, and of a network whose kernels are scaled as for a single tap."""
    kwargs, size = CARRIERS[carrier]
    torch.manual_seed(seed)
    model = CCNN(3, CLASSES, **{"hidden_channels": 140, **kwargs}).eval()
    model(*inputs(size, BATCH))
    with_scale = model(*inputs(size, BATCH)).flatten()
    torch.manual_seed(seed)
    raw = CCNN(3, CLASSES, **{"hidden_channels": 140, **kwargs, "num_taps": 1.0}).eval()
    raw(*inputs(size, BATCH))
    without = raw(*inputs(size, BATCH)).flatten() * raw.head.scale.moment.sqrt()  # what the head divides by
    return {
        "variance": with_scale.var().item(),
        "variance_without": without.var().item(),
        "logits": with_scale.tolist(),
        "logits_without": without.tolist(),
    }


def jobs(options: Options) -> Sequence[Job]:
    """A measurement of each carrier and seed."""
    return [
        Job(f"{carrier.replace(' ', '_').replace(',', '')}-{seed}", partial(logits, carrier, seed))
        for carrier in SHOWN[options.scale]
        for seed in options.seeds
    ]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row and draws two histograms per carrier."""
    rows = ["| carrier | variance of the logits | without the scale |", "|---|---|---|"]
    found = list(numbers.values())
    count, carriers = len(options.seeds), SHOWN[options.scale]
    groups = [found[i * count : (i + 1) * count] for i in range(len(carriers))]
    for carrier, group in zip(carriers, groups, strict=True):
        ours = mean_and_deviation([n["variance"] for n in group], 2)
        rows.append(f"| {carrier} | {ours} | {statistics.fmean(n['variance_without'] for n in group):.2g} |")
    _draw(carriers, groups, folder / "logits.png")
    return "\n".join(
        [
            "The paper: unit variance with the scale; logits of the order of 1e19 without it (Sec. 4.1).",
            "",
            *rows,
            "",
            "![Histograms of logits](logits.png)",
        ]
    )


def _draw(carriers: Sequence[str], groups: Sequence[Sequence[Numbers]], path: Path) -> None:
    figure = canvas(3.2 * len(carriers), 4.5)
    panels = figure.subplots(2, len(carriers), squeeze=False)
    for column, (carrier, group) in enumerate(zip(carriers, groups, strict=True)):
        for row, key in enumerate(("logits", "logits_without")):
            axes = panels[row][column]
            axes.hist([v for n in group for v in n[key]], bins=40, color=("#1f77b4", "#d62728")[row])
            axes.set_title(carrier if row == 0 else "without the scale", fontsize=10)
            axes.set_yticks([])
    save(figure, path)


STUDY = Study(
    "fig6",
    "logits of fresh networks, with and without the scale of the kernels",
    "Fig. 6 and Sec. 4.1 of the paper.",
    jobs,
    report,
    seeds=3,
)

if __name__ == "__main__":
    main(STUDY)
