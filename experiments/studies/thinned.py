"""Weights of points under changes of density: trained on even clouds, tested with one half thinned 8 times.

    python -m ccnn_geo.experiments.studies.thinned --root FOLDER  # <split>/<class>/<file>, as psb_folder writes it
    python -m ccnn_geo.experiments.studies.thinned --scale paper --root FOLDER        # ModelNet40, CCNN-4,140

The same weights see four samplings: the clouds they were trained for; those with every point beyond the median of a
random direction kept with a chance of one in eight; as many points of even density; and four times the points.
Accuracies are those of the last epoch on shapes outside the training set, which choose nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ccnn_geo import CCNN
from ccnn_geo._base.pyg import Compose, Data
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.training_job import train
from ccnn_geo.experiments.engine.training_study import file_name
from ccnn_geo.export.trained import read_network
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.data.shapes import ShapesDataModule
from ccnn_geo.transforms import FixedSubset, PointFeatures, ThinHalf

WINDOW = {"model__num_neighbors": None, "model__window_init": 0.2}
VARIANTS: dict[str, dict[str, Any]] = {
    "uniform, nearest": {"model__measure": "uniform"},
    "density, nearest": {"model__measure": "density"},
    "uniform, all in the window": {"model__measure": "uniform", **WINDOW},
    "quadrature, all in the window": {"model__measure": "quadrature", **WINDOW},
}
"""Weights of the points, and the neighbours in the sum: a number of the nearest, or all in the window."""
FACTOR = 8
TRAINED = "as trained"
SAMPLINGS = {TRAINED: 1.0, "half thinned": 1.0, "as few, even": 0.5 + 0.5 / FACTOR, "4 times": 4.0}
"""Number of points relative to training, before one half of the second sampling is thinned."""
DRAWS = 3
"""Directions of thinning per shape."""
SMALL: dict[str, Any] = {
    "model__omega_0": 0.5,
    "data__num_points": 256,
    "data__batch_size": 16,
    "trainer__max_epochs": 20,
}
PAPER: dict[str, Any] = {"model__omega_0": 0.5, "data__num_samples": 4096}
CONFIG = {"small": "shapes/ccnn_4_32_random", "paper": "modelnet40/ccnn_4_140_paper"}


def compare(options: Options, variant: str, seed: int, folder: Path) -> Numbers:
    """Trains on even clouds, and evaluates the same weights on all samplings."""
    small = options.scale == "small"
    found = train(
        folder,
        CONFIG[options.scale],
        seed,
        **{**(SMALL if small else PAPER), **VARIANTS[variant]},
        data__root=str(options.root),
    )
    hparams, network = read_network(folder / "run" / "checkpoints" / "last.ckpt")
    data = make_data(hparams["data"])
    assert isinstance(data, ShapesDataModule)
    data.setup("fit" if small else "test")
    expected = outputs(network, data, small, 1.0)
    for sampling, share in SAMPLINGS.items():
        draws = range(DRAWS) if sampling == "half thinned" else (None,)
        rows = [score(outputs(network, data, small, share, draw), expected) for draw in draws]
        found[sampling] = {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}
    return found


Outputs = tuple[Tensor, Tensor, dict[tuple[int, int], Tensor]]
"""Logits of all shapes, their classes, and the last features of each point by the number of its shape and its own."""


@torch.no_grad()
def outputs(
    network: CCNN, data: ShapesDataModule, small: bool, share: float, draw: int | None = None
) -> Outputs:
    """Returns a network's outputs for shapes outside the training set, sampled in some way."""
    samples = data.validation_set if small else data.test_set
    chain = [_number, FixedSubset(round(share * data.pipeline.num_points))]
    if draw is not None:
        chain.append(ThinHalf(FACTOR, torch.Generator().manual_seed(draw)))
    samples.transform = Compose([*chain, PointFeatures(data.pipeline.features)])
    seen: list[Tensor] = []
    handle = network.eval().norm.register_forward_hook(lambda module, args, out: seen.append(out))
    logits: list[Tensor] = []
    classes: list[Tensor] = []
    features: dict[tuple[int, int], Tensor] = {}
    first = 0
    try:
        for batch in data.val_dataloader() if small else data.test_dataloader():
            logits.append(network(batch))
            classes.append(batch.y)
            keys = zip((batch.batch + first).tolist(), batch.row.tolist(), strict=True)
            features.update(zip(keys, seen[-1], strict=True))
            first += batch.num_graphs
    finally:
        handle.remove()
    return torch.cat(logits), torch.cat(classes), features


def _number(data: Data) -> Data:
    data.row = torch.arange(data.num_nodes)
    return data


def score(found: Outputs, expected: Outputs) -> dict[str, float]:
    """Accuracy, and the change of logits and of features at common points, in percent."""
    common = [key for key in found[2] if key in expected[2]]
    pairs = {
        "logits": (found[0], expected[0]),
        "features": tuple(torch.stack([f[2][key] for key in common]) for f in (found, expected)),
    }
    drift = {name: 100 * ((a - b).norm() / b.norm()).item() for name, (a, b) in pairs.items()}
    return {"accuracy": 100 * (found[0].argmax(1) == found[1]).double().mean().item(), **drift}


def jobs(options: Options) -> Sequence[Job]:
    """A training of each variant and seed."""
    return [
        Job(f"{file_name(variant)}-{seed}", partial(compare, options, variant, seed))
        for variant in VARIANTS
        for seed in options.seeds
    ]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a table for accuracy, one each for the drift of logits and features; a row per variant."""
    lines = [
        f"Half thinned: in the half of the points furthest along a random direction one in {FACTOR} stays.",
        "As few, even: the remaining number of points, at even density. Drift: relative l2 distance from the outputs",
        "for the clouds as trained.",
    ]
    for key, title, shown in (
        ("accuracy", "accuracy, %", list(SAMPLINGS)),
        ("logits", "drift of the logits, %", list(SAMPLINGS)[1:]),
        (
            "features",
            "drift of the last features at the points that both clouds have, %",
            list(SAMPLINGS)[1:],
        ),
    ):
        lines += ["", f"## {title.capitalize()}", "", f"| weights, neighbours | {' | '.join(shown)} |"]
        lines.append("|" + "---|" * (len(shown) + 1))
        for variant in VARIANTS:
            rows = [numbers[f"{file_name(variant)}-{seed}"] for seed in options.seeds]
            cells = [mean_and_deviation([row[sampling][key] for row in rows]) for sampling in shown]
            lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


STUDY = Study(
    "thinned",
    "points weighted by the inverse of their density, where it changes",
    "No table of the paper: the measure of its sums over points (Sec. 3) where points are uneven.",
    jobs,
    report,
    data="<split>/<class>/<file> with a validation split (small), or where ModelNet40 is (paper)",
    seeds=2,
)

if __name__ == "__main__":
    main(STUDY)
