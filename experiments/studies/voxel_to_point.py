"""From regular to irregular data (Sec. 5): trained on voxels and tested on voxels and points, and vice versa.

    python -m ccnn_geo.experiments.studies.voxel_to_point --root FOLDER  # <split>/<class>/<file>
    python -m ccnn_geo.experiments.studies.voxel_to_point --scale paper --root FOLDER  # ModelNet10, CCNN-4,140

Shapes are 40^3 voxels, of which some are kept, and the same shapes are points on their surface. Accuracies are those of
the last epoch on shapes outside the training set: ModelNet10's test set, or the validation set of a folder, which
chooses nothing here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ccnn_geo import CCNN
from ccnn_geo._base.pyg import Batch
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.training_job import train
from ccnn_geo.experiments.engine.training_study import file_name
from ccnn_geo.export.trained import read_network
from ccnn_geo.nn.norm.statistics import fresh_statistics
from ccnn_geo.training.data.base import EpochDataModule
from ccnn_geo.training.data.families import make_data

CARRIERS = ("voxels", "points")
VARIANTS: dict[str, dict[str, Any]] = {
    "band-limited": {"model__omega_0": 0.5},
    "band-limited, density": {"model__omega_0": 0.5, "model__measure": "density"},
    "published": {"model__omega_0": 50.0},
}
"""Kernels of a few rad per unit, for 256 points 0.2 apart; the same, with points weighted by their inverse density;
the paper's frequencies."""
SMALL: dict[str, Any] = {
    "data__num_points": 256,
    "data__batch_size": 16,
    "trainer__max_epochs": 20,
}
PAPER: dict[str, Any] = {"data__dataset": "modelnet10"}
CONFIG = {"small": "shapes/ccnn_4_32_random", "paper": "modelnet40/ccnn_4_140_paper"}


def transfer(options: Options, carrier: str, variant: str, seed: int, folder: Path) -> Numbers:
    """Trains on one carrier and evaluates on both."""
    settings = SMALL if options.scale == "small" else PAPER
    found = train(
        folder,
        CONFIG[options.scale],
        seed,
        **settings,
        data__root=str(options.root),
        data__carrier=carrier,
        **VARIANTS[variant],
    )
    hparams, network = read_network(folder / "run" / "checkpoints" / "last.ckpt")
    for target in CARRIERS:
        data = make_data({**hparams["data"], "carrier": target})
        data.setup("fit")
        unseen = data.val_dataloader()
        if options.scale == "paper":
            data.setup("test")
            unseen = data.test_dataloader()
        found[target] = accuracy(network, unseen)
        if target != carrier:
            found[f"{target}, statistics"] = accuracy(with_statistics_of(network, data), unseen)
    return found


@torch.no_grad()
def accuracy(network: CCNN, shapes: Iterable[Batch]) -> float:
    """Accuracy on shapes, in percent."""
    network.eval()
    right = [network(batch).argmax(dim=1) == batch.y for batch in shapes]
    return 100 * torch.cat(right).float().mean().item()


def with_statistics_of(network: CCNN, data: EpochDataModule) -> CCNN:
    """The same weights with the norms' statistics of training shapes in the new form; uses no labels."""
    network = copy.deepcopy(network).eval()
    with fresh_statistics(network):
        for batch in data.train_dataloader():
            network(batch)
    return network


def jobs(options: Options) -> Sequence[Job]:
    """A training of each carrier, variant and seed."""
    return [
        Job(f"{file_name(variant)}-{carrier}-{seed}", partial(transfer, options, carrier, variant, seed))
        for variant in VARIANTS
        for carrier in CARRIERS
        for seed in options.seeds
    ]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row per variant and training carrier."""
    head = ["kernels", "trained on", "accuracy there", "tested on", "accuracy", "difference"]
    lines = [
        "The paper, ModelNet10, CCNN-4,140 trained on voxels: 90.64 % on voxels, 90.99 % on points (difference 0.35).",
        "",
        f"| {' | '.join([*head, 'norms re-estimated'])} |",
        "|" + "---|" * (len(head) + 1),
    ]
    for variant in VARIANTS:
        for carrier in CARRIERS:
            other = CARRIERS[1 - CARRIERS.index(carrier)]
            rows = [numbers[f"{file_name(variant)}-{carrier}-{seed}"] for seed in options.seeds]
            own, across = ([row[c] for row in rows] for c in (carrier, other))
            cells = [
                variant,
                carrier,
                mean_and_deviation(own),
                other,
                mean_and_deviation(across),
                mean_and_deviation([b - a for a, b in zip(own, across, strict=True)]),
                mean_and_deviation([row[f"{other}, statistics"] for row in rows]),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


STUDY = Study(
    "voxel_to_point",
    "trained on voxels, tested on points, and vice versa",
    'Sec. 5 of the paper, "From regular to irregular data".',
    jobs,
    report,
    data="<split>/<class>/<file> with a validation split (small), or where ModelNet10 is (paper)",
    seeds=2,
)

if __name__ == "__main__":
    main(STUDY)
