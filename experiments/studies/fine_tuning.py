"""Training on few shapes, from a trained network and from scratch.

    python -m ccnn_geo.experiments.data.points_folder modelnet8_points.npz FOLDER     # train/<class>/<file>
    python -m ccnn_geo.experiments.studies.fine_tuning --root FOLDER

The packaged network ``shapes10`` was trained on 520 meshes of the Princeton Shape Benchmark. This study uses eight
classes of ModelNet, clouds without normals: 20 or 100 of each for training, and 50 others for validation. All rows
have the same recipe and the same steps; validation chooses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ccnn_geo.experiments.data.few_folder import few_folder
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.training_job import train
from ccnn_geo.experiments.engine.training_study import draw_curves, file_name

CONFIG = "models/shapes10"
START: dict[str, Any] = {"from": "shapes10"}
ROWS: dict[str, dict[str, Any]] = {
    "from scratch": {},
    "from shapes10, trunk frozen": {**START, "optim__trunk_lr": 0.0},
    "from shapes10, trunk at a tenth": {**START, "optim__trunk_lr": 0.1},
    "from shapes10": START,
}
EPOCHS = {20: 40, 100: 15}
"""Epochs by the number of shapes of each class."""


def jobs(options: Options) -> Sequence[Job]:
    """A training of each row, number of shapes and seed."""
    return [
        Job(_name(row, few, seed), partial(_run, options, row, few, seed))
        for seed in options.seeds
        for few in EPOCHS
        for row in ROWS
    ]


def _name(row: str, few: int, seed: int) -> str:
    return f"{file_name(row)}-{few}-{seed}"


def _run(options: Options, row: str, few: int, seed: int, folder: Path) -> Numbers:
    root = few_folder(options.data_root, folder.parent / f"shapes-{few}", few)
    epochs = {"trainer__max_epochs": EPOCHS[few]}
    return train(folder, CONFIG, seed, **epochs, **ROWS[row], data__root=str(root))


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row for each start, with two columns of accuracies."""
    found = {
        few: {row: [numbers[_name(row, few, s)] for s in options.seeds] for row in ROWS} for few in EPOCHS
    }
    draw_curves({row: found[20][row] for row in ROWS}, folder / "curves.png")
    lines = [
        "Validation accuracy in percent after the last epoch, 50 shapes of each of eight classes.",
        "",
        f"| | {' | '.join(f'{few} shapes per class' for few in EPOCHS)} | minutes |",
        f"|---|{'---|' * len(EPOCHS)}---|",
    ]
    for row in ROWS:
        cells = [mean_and_deviation([n["accuracy"] for n in found[few][row]]) for few in EPOCHS]
        minutes = [sum(n["seconds"][-1] for n in found[few][row]) / len(options.seeds) / 60 for few in EPOCHS]
        lines.append(f"| {row} | {' | '.join(cells)} | {', '.join(f'{m:.1f}' for m in minutes)} |")
    return "\n".join([*lines, "", "![Validation accuracy, 20 shapes per class](curves.png)"])


STUDY = Study(
    "fine_tuning",
    "training that starts from a packaged network, on 20 and 100 shapes per class",
    "Beyond the paper: docs/answers.md.",
    jobs,
    report,
    data="train/<class>/<file>, as points_folder writes it",
    seeds=3,
)

if __name__ == "__main__":
    main(STUDY)
