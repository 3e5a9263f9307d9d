"""The effect of normals, and the cost of missing ones at test time.

    python -m ccnn_geo.experiments.studies.without_normals --root FOLDER  # <split>/<class>/<file>, as psb_folder has it

The same networks see validation shapes with their normals, and as clouds without any; these get normals estimated as in
prediction. Accuracies are those of the last epoch; validation chooses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ccnn_geo._base.pyg import Compose
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.training_job import train
from ccnn_geo.experiments.engine.training_study import file_name
from ccnn_geo.export.trained import read_network
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.data.shapes import ShapesDataModule
from ccnn_geo.transforms import DropNormals

CONFIG = "shapes/ccnn_4_32"
ROWS: dict[str, dict[str, Any]] = {
    "constant, normal, position": {},
    "the same, half of the clouds without normals": {"data__augment__drop_normals": 0.5},
    "constant, position": {"data__features": ["constant", "pos"]},
}
LOSSES = {"with normals": 0.0, "without": 1.0}
"""Share of the validation shapes that lose their normals."""


def compare(options: Options, row: str, seed: int, folder: Path) -> Numbers:
    """Trains, and evaluates the same weights on shapes with and without normals."""
    found = train(folder, CONFIG, seed, **ROWS[row], data__root=str(options.root))
    hparams, network = read_network(folder / "run" / "checkpoints" / "last.ckpt")
    data = make_data(hparams["data"])
    assert isinstance(data, ShapesDataModule)
    data.setup("fit")
    for name, share in LOSSES.items():
        chain = [DropNormals(share, data.pipeline.normal_neighbors), data.pipeline.evaluation()]
        data.validation_set.transform = Compose(chain)
        with torch.no_grad():
            hits = [network.eval()(batch).argmax(1) == batch.y for batch in data.val_dataloader()]
        found[name] = 100 * torch.cat(hits).double().mean().item()
    return found


def jobs(options: Options) -> Sequence[Job]:
    """A training of each row and seed."""
    return [
        Job(f"{file_name(row)}-{seed}", partial(compare, options, row, seed))
        for seed in options.seeds
        for row in ROWS
    ]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row for each training, with a column for shapes with normals and one for shapes without."""
    lines = [
        "Validation accuracy in percent after the last epoch.",
        "",
        f"| trained on | {' | '.join(LOSSES)} | minutes |",
        f"|---|{'---|' * len(LOSSES)}---|",
    ]
    for row in ROWS:
        of = [numbers[f"{file_name(row)}-{seed}"] for seed in options.seeds]
        cells = [mean_and_deviation([n[name] for n in of]) for name in LOSSES]
        minutes = sum(n["seconds"][-1] for n in of) / len(of) / 60
        lines.append(f"| {row} | {' | '.join(cells)} | {minutes:.1f} |")
    return "\n".join(lines)


STUDY = Study(
    "without_normals",
    "the effect of normals, and the cost of missing ones at test time",
    "Beyond the paper: docs/answers.md.",
    jobs,
    report,
    data="<split>/<class>/<file> with a validation split, as psb_folder writes it",
    seeds=3,
)

if __name__ == "__main__":
    main(STUDY)
