"""Pathfinder as images and as sequences of their pixels (Table 2 of the paper: Pathfinder, 2DPathfinder).

python -m ccnn_geo.experiments.studies.pathfinder_2d                      # makes its images, needs no files
python -m ccnn_geo.experiments.studies.pathfinder_2d --scale paper --root FOLDER        # lra/pathfinder32, CCNN-6,380

Small scale: images of 20 x 20 with two contours of five dashes, and the same images row by row, for networks of the
same width and the same number of steps; then sequences once more with twice the steps, which take longer than images.
The network trained on images also sees their pixels as points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.training_job import test, train
from ccnn_geo.experiments.engine.training_study import Row, file_name, training_study
from ccnn_geo.export.trained import read_network
from ccnn_geo.functional.representations import to_points
from ccnn_geo.nn.build import class_logits
from ccnn_geo.training.data.families import make_data

DRAWING = {
    "size": 20,
    "contour": 5,
    "distractor": 2,
    "num_distractors": 2,
    "dash": 2.0,
    "gap": 1.0,
    "thickness": 0.6,
    "radius": 1.2,
    "distance": 5.0,
    "clearance": 3.0,
}
"""The distance of the discs alone predicts 61 % of the labels."""
EPOCHS = 16
SHARED: dict[str, Any] = {
    "model__preset": "ccnn_4_16",
    "model__dropout": 0.0,
    "optim__lr": 0.02,
    "optim__warmup_epochs": 1,
    "data__batch_size": 50,
    "data__dataset_args": {"generate": 5000, "drawing": DRAWING, "num_workers": 0},
    "trainer__max_epochs": EPOCHS,
}
SEQUENCE = {"model__omega_0": 50.0, "model__window_init": 0.3}
"""The best of 50, 150 and 500 on validation images (six epochs: 57, 54 and 55 %)."""
IMAGE = {"model__omega_0": 25.0, "model__window_init": 0.25}
"""From the best of 8, 20 and 60 on 16 x 16 versions of these images (62, 81 and 61 %): the same kernels in pixels."""
FLAT = ("pathfinder/ccnn_6_380", "pathfinder/ccnn_4_140")
"""Configurations at the paper's scale, and the one that small scale changes."""
ROWS = [
    Row("images", "pathfinder2d/ccnn_6_380", IMAGE, "pathfinder2d/ccnn_4_140", 96.00),
    Row("sequences", FLAT[0], SEQUENCE, FLAT[1], 91.51),
    Row("sequences, longer", FLAT[0], {**SEQUENCE, "trainer__max_epochs": 2 * EPOCHS}, FLAT[1]),
]


def rows_of(scale: str) -> list[Row]:
    """Returns the trainings of a scale."""
    return ROWS if scale == "small" else ROWS[:2]


def run(row: Row, options: Options, seed: int, folder: Path) -> Numbers:
    """Trains, and tests a network for images on their pixels as points."""
    small = options.scale == "small"
    config, changes = (row.small_config, SHARED | dict(row.small or {})) if small else (row.config, {})
    root = folder / "data" if small else options.root
    found = train(folder, config, seed, **changes, data__root=str(root))
    found["test"] = test(folder)
    if small and row is ROWS[0]:
        found |= as_points(folder / "run" / "checkpoints" / "last.ckpt")
    return found


@torch.no_grad()
def as_points(checkpoint: Path) -> Numbers:
    """Predicts from the pixels of validation images as clouds, with all pixels as neighbours.

    Returns:
        ``on_points``, the accuracy in percent, and ``difference``, the largest between logits of image and cloud.
    """
    hparams, network = read_network(checkpoint)
    network.eval()
    network.num_neighbors = None
    data = make_data(hparams["data"])
    data.setup("fit")
    right, differences = [], []
    for x, y in data.val_dataloader():
        clouds = network(to_points(x))
        differences.append((network(x) - clouds).abs().max().item())
        right.append(class_logits(clouds).argmax(dim=1) == y)
    return {"on_points": 100 * torch.cat(right).float().mean().item(), "difference": max(differences)}


def jobs(options: Options) -> Sequence[Job]:
    """A training per row and seed."""
    if options.scale == "paper" and options.root is None:
        raise FileNotFoundError(
            "pathfinder_2d: expected --root FOLDER with lra/pathfinder32/curv_contour_length_14 at the paper's scale"
        )
    return [
        Job(f"{file_name(row.name)}-{seed}", partial(run, row, options, seed))
        for seed in options.seeds
        for row in rows_of(options.scale)
    ]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes the table of trainings, and the result on points."""
    text = _table(rows_of(options.scale)).report(numbers, options, folder)
    if options.scale == "paper":
        return text
    first = [numbers[f"{ROWS[0].name}-{seed}"] for seed in options.seeds]
    points = mean_and_deviation([n["on_points"] for n in first])
    difference = max(n["difference"] for n in first)
    return (
        f"{text}\n\nThe weights of the first row on validation images as clouds of their pixels: {points} %; logits "
        f"differ by {difference:.0e} at most."
    )


def _table(rows: Sequence[Row]) -> Study:
    return training_study(
        "pathfinder_2d",
        "contours in images, and the same images as sequences",
        "Table 2 of the paper (Pathfinder, 2DPathfinder).",
        rows,
        "",
        seeds=3,
        note="Small scale: CCNN-4,16 on 4,000 generated images of 20 x 20, 500 more each for validation and testing; "
        "the paper: 32 x 32.",
    )


STUDY = replace(_table(ROWS), jobs=jobs, report=report)

if __name__ == "__main__":
    main(STUDY)
