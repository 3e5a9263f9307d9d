"""Learning rates of the peers of ``point_peers``, tried on the fold that it does not use.

    python -m ccnn_geo.experiments.studies.peer_rates --root FOLDER  # <split>/<class>/<file>, as psb_folder writes it

Each peer is trained for a few epochs with each rate, and some with other settings, but otherwise as in
``point_peers``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from ccnn_geo.experiments.data.folds import fold_folder
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.studies.budget_training import train_within
from ccnn_geo.experiments.studies.peer_training import apart
from ccnn_geo.experiments.studies.point_peers import METHODS, TUNED_ON, Method, classifier, settings

RATES = (1e-3, 3e-3)
EPOCHS = {"small": 15, "paper": 30}


class Other(TypedDict, total=False):
    """Changes of a :class:`Method`."""

    features: Sequence[str]
    model: Mapping[str, Any]


OTHERS: Mapping[str, Other] = {
    "pointnet": {"features": ("normal",)},
    "pointnet2": {"model": {"radii": [0.2, 0.4]}},
    "dgcnn": {"features": ("normal",)},
    "perceiver": {"model": {"bands": 16, "max_frequency": 20.0}},
}
"""Normals themselves; published radii, made for more points; and, unlike the published ones, frequencies that so few
points can carry."""


def tries() -> dict[str, Method]:
    """Returns the trainings by name."""
    peers = {name: method for name, method in METHODS.items() if not method.config}
    found = {
        f"{name}-{rate:g}": replace(method, optim={**method.optim, "lr": rate})
        for name, method in peers.items()
        for rate in RATES
    }
    for name, other in OTHERS.items():
        method = peers[name]
        (of,) = other.values()
        found[f"{name}-other"] = replace(
            method,
            title=f"{method.title}, {of}",
            model={**method.model, **other.get("model", {})},
            features=other.get("features", method.features),
        )
    return found


def jobs(options: Options) -> Sequence[Job]:
    """A training of each row and seed."""
    return [
        Job(f"{name}-{seed}", partial(_train, options, method, seed))
        for seed in options.seeds
        for name, method in tries().items()
    ]


def _train(options: Options, method: Method, seed: int, folder: Path) -> Numbers:
    root = fold_folder(options.data_root, folder.parents[1] / "folds" / str(TUNED_ON), TUNED_ON)
    config = settings(method, "small", root, seed)
    return apart(train_within, folder, config, classifier(method), EPOCHS[options.scale], None)


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row for each training."""
    lines = [
        f"Accuracy in percent on fold {TUNED_ON} after {EPOCHS[options.scale]} epochs; minutes are those of training.",
        "",
        "| | rate | training | validation | minutes |",
        "|---|---|---|---|---|",
    ]
    for name, method in tries().items():
        of = [numbers[f"{name}-{seed}"] for seed in options.seeds]
        cells = [
            method.title,
            f"{method.optim['lr']:g}",
            mean_and_deviation([n["training"] for n in of]),
            mean_and_deviation([n["accuracy"] for n in of]),
            mean_and_deviation([n["seconds"][-1] / 60 for n in of]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


STUDY = Study(
    "peer_rates",
    "learning rates of the peers of point_peers",
    "Settings only; no table of the paper.",
    jobs,
    report,
    data="<split>/<class>/<file>; its train and validation sets are joined",
)

if __name__ == "__main__":
    main(STUDY)
