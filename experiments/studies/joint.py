"""One trunk for several kinds of data (Sec. 6, "Cross-modal training and data fusion"), against a network for each.

    python -m ccnn_geo.experiments.studies.joint --root FOLDER  # with mnist/ and shapes/<split>/<class>/<file>
    python -m ccnn_geo.experiments.studies.joint --scale paper --root FOLDER        # with cifar10/ and modelnet40/

``mnist/`` holds the publisher's four files (``ccnn-geo data prepare mnist --root FOLDER`` fetches them); ``shapes/``
comes from ``python -m ccnn_geo.experiments.data.psb_folder psb.npz FOLDER/shapes``, or is any folder of shapes in that
layout.

The trunk has three dimensions. Clouds and voxels are points in it, images lie in the plane z = 0. The spacing of
pixels is free. It is that of the points of a cloud, so that one band-limited kernel suits both. All networks see the
same number of batches of each kind, in the same order; a step of a joint network uses a batch of every kind.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ccnn_geo.datasets.base.workers import mapper
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.training_study import file_name
from ccnn_geo.experiments.studies.joint_training import fit
from ccnn_geo.nn.joint import OWN
from ccnn_geo.visualization.canvas import canvas, save

AUGMENT = {"scale": [0.67, 1.5], "shift": 0.2}
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "small": {"dataset": "folder", "num_points": 256},
    "paper": {"dataset": "modelnet40"},
}
IMAGES: Mapping[str, Mapping[str, Any]] = {
    "small": {"dataset": "mnist", "limit": 1024, "batch_size": 16},
    "paper": {"dataset": "cifar10", "batch_size": 50, "augment": {"crop": 4, "flip": True}},
}
IMAGE = {"small": {"spacing": 0.2, "validate": 1000}, "paper": {"spacing": 0.16}}
"""The spacing of pixels, equal to that of the points of a cloud."""
NETWORK = {"omega_0": 0.5, "window_init": 0.5, "num_neighbors": 32}
PRESET = {"small": "ccnn_4_32", "paper": "ccnn_4_140"}
OPTIM = {"lr": 0.02, "weight_decay": 0.01, "warmup": 0.1, "label_smoothing": 0.1, "clip": 1.0}
LENGTH = {"small": {"rounds": 6, "steps": 64}, "paper": {"rounds": 200, "steps": 615}}
"""A step uses a batch of every kind; 64 steps are two epochs of the small folder, 615 one of ModelNet40."""


@dataclass(frozen=True)
class Row:
    """A training: its kinds, their own modules (None: none, one network for all), and kinds that are only tested."""

    name: str
    kinds: tuple[str, ...]
    own: tuple[str, ...] | None = OWN
    also: tuple[str, ...] = ()


ALONE = {
    "images": Row("images", ("images",)),
    "clouds": Row("clouds", ("clouds",), also=("voxels",)),
    "voxels": Row("voxels", ("voxels",), also=("clouds",)),
}
TOGETHER = {
    ("images", "clouds"): (
        Row("one trunk", ("images", "clouds")),
        Row("one trunk, shared scales", ("images", "clouds"), ("norms",)),
        Row("one trunk, shared norms and scales", ("images", "clouds"), ()),
    ),
    ("voxels", "clouds"): (
        Row("one trunk", ("voxels", "clouds")),
        Row("one network", ("voxels", "clouds"), None),
    ),
}
ROWS = (*ALONE.values(), *(row for rows in TOGETHER.values() for row in rows))


def data_of(options: Options) -> dict[str, dict[str, Any]]:
    """Returns the data of each kind at a scale.

    Raises:
        FileNotFoundError: If there are no shapes.
    """
    small, root = options.scale == "small", options.data_root
    places = (root / "shapes" / "train", root / "shapes" / "validation") if small else ()
    for place in places:
        if not place.is_dir():
            raise FileNotFoundError(f"joint: {place} does not exist, expected {STUDY.data}")
    points = {
        **SHAPES[options.scale],
        "root": str(root / "shapes" if small else root),
        "batch_size": 16,
        "augment": AUGMENT,
    }
    images = {**IMAGES[options.scale], "root": str(root)}
    return {
        "images": {"data": images, **IMAGE[options.scale]},
        "clouds": {"data": points},
        "voxels": {"data": {**points, "carrier": "voxels"}},
    }


def run(row: Row, options: Options, seed: int, folder: Path) -> Numbers:
    """Runs a training in a separate process."""
    data, length = data_of(options), LENGTH[options.scale]
    train = partial(
        fit,
        kinds={kind: data[kind] for kind in row.kinds},
        network={**NETWORK, "preset": PRESET[options.scale]},
        optim=OPTIM,
        seed=seed,
        rounds=length["rounds"],
        steps=length["steps"],
        own=row.own,
        also={kind: data[kind] for kind in row.also},
    )
    with mapper(1) as run:
        return next(run(train, [folder]))


def job_name(row: Row, seed: int) -> str:
    """The name of a job and of its folder."""
    return f"{file_name('-'.join((*row.kinds, row.name)))}-{seed}"


def jobs(options: Options) -> Sequence[Job]:
    """A training of each row and seed."""
    data_of(options)
    return [
        Job(job_name(row, seed), partial(run, row, options, seed)) for seed in options.seeds for row in ROWS
    ]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a table per pair of kinds."""
    found = {row: [numbers[job_name(row, seed)] for seed in options.seeds] for row in ROWS}
    draw_curves(found, LENGTH[options.scale]["steps"], folder / "curves.png")
    lines = [
        "Validation accuracy in percent after the last step, with the difference to a separate network in brackets; "
        "minutes of the processor.",
    ]
    for pair, rows in TOGETHER.items():
        across = [
            f"{a}, {b}" for a in pair for b in pair if a != b and f"{a}, {b}" in found[ALONE[a]][0]["across"]
        ]
        head = ["", "parameters", *pair, *(key.replace(", ", "' network on ") for key in across), "minutes"]
        lines += ["", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
        apart = [found[ALONE[kind]] for kind in pair]
        lines.append(_line("apart", pair, across, apart, apart))
        lines += [_line(row.name, pair, across, [found[row]], apart) for row in rows]
    return "\n".join([*lines, "", "![Validation accuracy](curves.png)"])


def _line(
    name: str,
    pair: Sequence[str],
    across: Sequence[str],
    runs: Sequence[Sequence[Numbers]],
    apart: Sequence[Sequence[Numbers]],
) -> str:
    """A row: runs of one network for both kinds, or of a network for each."""
    of_kind = dict(zip(pair, runs if len(runs) > 1 else [runs[0]] * len(pair), strict=True))
    cells = [name, f"{sum(of[0]['parameters'] for of in runs):,}"]
    for kind, alone in zip(pair, apart, strict=True):
        values, own = ([n[kind] for n in of] for of in (of_kind[kind], alone))
        gain = statistics.fmean(values) - statistics.fmean(own)
        cells.append(mean_and_deviation(values) + (f" ({gain:+.1f})" if of_kind[kind] is not alone else ""))
    cells += [mean_and_deviation([n["across"][key] for n in of_kind[key.split(", ")[0]]]) for key in across]
    cells.append(f"{sum(statistics.fmean(n['seconds'][-1] for n in of) for of in runs) / 60:.1f}")
    return f"| {' | '.join(cells)} |"


def draw_curves(found: Mapping[Row, Sequence[Numbers]], steps: int, path: Path) -> None:
    """Draws validation accuracy of each kind against steps; a line per seed, a colour per training."""
    figure = canvas(12, 4.6)
    labels = {row: f"{' + '.join(row.kinds)}: {row.name}" if len(row.kinds) > 1 else "alone" for row in found}
    colours = {label: f"C{i - 1}" if i else "black" for i, label in enumerate(dict.fromkeys(labels.values()))}
    lines = {}
    for kind, axes in zip(ALONE, figure.subplots(1, len(ALONE)), strict=True):
        for row, label in labels.items():
            for j, numbers in enumerate(found[row] if kind in row.kinds else ()):
                curve = numbers["curves"][kind]
                at = range(steps, steps * (len(curve) + 1), steps)
                lines[label] = axes.plot(
                    at, curve, color=colours[label], lw=1.4, alpha=0.9 if j == 0 else 0.5
                )[0]
        axes.set(title=kind, xlabel="steps", ylabel="validation accuracy, %")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        lines.values(), lines.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
    save(figure, path)


STUDY = Study(
    "joint",
    "one trunk for images and clouds, for voxels and clouds, against a network for each",
    'Sec. 6 of the paper, "Cross-modal training and data fusion", an open question there.',
    jobs,
    report,
    data="mnist/ and shapes/<split>/<class>/<file> with a validation split (small), cifar10/ and modelnet40/ (paper)",
    seeds=2,
)

if __name__ == "__main__":
    main(STUDY)
