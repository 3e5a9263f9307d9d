"""Networks on kinds of shapes that they never saw, beside their peers: equal data, augmentation, batches and epochs.

    python -m ccnn_geo.experiments.studies.unseen_kinds --root FOLDER  # kinds.csv in it, as psb_folder writes it

Each training holds out whole kinds, biplanes, say, and no biplane trains (``kind_folds``). Seed s is the s-th parting
of the kinds into four, each of which is held out by one training. Accuracies are those of all shapes, each answered by
the network that did not see its kind. Everything else is as in ``point_peers``. Validation chooses nothing within a
training.

A committee is several networks of other seeds, whose probabilities are averaged. Votes are those of ``votes``.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.experiments.data.folds import FOLDS
from ccnn_geo.experiments.data.kind_folds import kind_folder, read_kinds
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.studies.peer_training import apart
from ccnn_geo.experiments.studies.point_peers import METHODS, Method, classifier, settings
from ccnn_geo.experiments.studies.votes import ANSWERS, VOTES, train_and_vote

EPOCHS = 30
ASKED = ("once", "voted")
PEERS = ("pointnet", "pointnet2", "dgcnn", "pointmlp", "pointnext")


@dataclass(frozen=True)
class Row:
    """What is trained, and how many times.

    Args:
        method: The network and its settings.
        augment: Settings of the augmentation that differ.
        members: Networks of a committee.
    """

    method: Method
    augment: Mapping[str, Any] = field(default_factory=dict)
    members: int = 1


STRONG = {"scale": [0.5, 1.6], "jitter": 0.02, "point_dropout": 0.5}
"""Augmentation of all but the rows that are without it; peers, which take clouds of one size, get points twice."""
_BASE = METHODS["ccnn_4_48"]


def _changed(title: str, **model: Any) -> Row:
    return Row(replace(_BASE, title=title, model={**_BASE.model, **model}), STRONG)


ROWS: Mapping[str, Row] = {
    **{name: Row(METHODS[name], {**STRONG, "point_fill": True}) for name in PEERS},
    **{name: Row(METHODS[name], STRONG) for name in ("ccnn_4_32", "ccnn_4_48", "ccnn_4_140")},
    "small": _changed("CCNN-4,32 and sets of 24", preset="ccnn_4_32", set_channels=24),
    "members": _changed("four CCNN-4,48 in one", members=4, kernel_hidden=24),
    "large": _changed("four CCNN-4,48 in one and sets of 64", members=4, kernel_hidden=24, set_channels=64),
    "sets": _changed("CCNN-4,48 and sets of 64", set_channels=64),
    "committee": Row(replace(_BASE, title="four CCNN-4,48"), STRONG, members=4),
    "weak": Row(replace(_BASE, title="CCNN-4,48, augmentation of point_peers")),
    "turned": Row(replace(_BASE, title="CCNN-4,48, turned about y"), {**STRONG, "rotate_axis": "y"}),
    "dropout": _changed("CCNN-4,48, dropout 0.3", dropout=0.3),
    "mean_max": _changed("CCNN-4,48, mean and maximum", pool="mean_max"),
    "without_pos": Row(
        replace(_BASE, title="CCNN-4,48, positions not a feature", features=("constant", "normal_outer")),
        STRONG,
    ),
}
"""What is trained."""
SCALES = {"small": ("pointnet", "small", "large"), "paper": tuple(ROWS)}
REFERENCE = {"small": "pointnet", "paper": "dgcnn"}


def jobs(options: Options) -> Sequence[Job]:
    """A training of each method and draw."""
    read_kinds(options.data_root)  # says what is missing before any training
    return [
        Job(f"{name}-{draw}", partial(_train, options, ROWS[name], draw))
        for seed in options.seeds
        for draw in _draws(seed)
        for name in SCALES[options.scale]
    ]


def _draws(seed: int) -> range:
    return range(FOLDS * seed, FOLDS * (seed + 1))


def _train(options: Options, row: Row, draw: int, folder: Path) -> Numbers:
    root = kind_folder(options.data_root, folder.parents[1] / "draws" / str(draw), draw)
    config = settings(row.method, "small", root, draw // FOLDS)
    config["data"]["augment"] |= row.augment
    found, answers = [], []
    for member in range(row.members):
        place = folder / str(member)
        place.mkdir(exist_ok=True)
        own = {**config, "seed": row.members * config["seed"] + member}
        found.append(apart(train_and_vote, place, own, classifier(row.method), EPOCHS))
        with np.load(place / ANSWERS) as stored:
            answers.append({name: stored[name] for name in stored.files})
    label = answers[0]["label"]
    hits = {name: np.mean([own[name] for own in answers], axis=0).argmax(1) == label for name in ASKED}
    return {
        **{name: 100 * float(hit.mean()) for name, hit in hits.items()},
        "shapes": len(label),
        "training": statistics.fmean(n["training"] for n in found),
        "parameters": sum(n["parameters"] for n in found),
        "seconds": sum(n["seconds"][-1] for n in found),
    }


def pooled(numbers: Mapping[str, Numbers], name: str, seed: int, asked: str) -> float:
    """Accuracy in percent over all shapes of a parting, ``once`` or ``voted``."""
    of = [numbers[f"{name}-{draw}"] for draw in _draws(seed)]
    return sum(n[asked] * n["shapes"] for n in of) / sum(n["shapes"] for n in of)


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """A row for each method."""
    reference = REFERENCE[options.scale]
    lines = [
        f"Accuracy in percent on kinds that were held out, after {EPOCHS} epochs: of all shapes, each answered by the "
        f"one of {FOLDS} networks that did not see its kind; mean and deviation over partings of the kinds. By votes: "
        f"the mean of {VOTES} augmented forms of a shape. The last column but one is the mean difference parting by "
        "parting, of votes to votes, with its standard error. Minutes are those of one training.",
        "",
        f"| | parameters | training | unseen kinds | by votes | to {ROWS[reference].method.title} | minutes |",
        "|---|---|---|---|---|---|---|",
    ]
    peer = [pooled(numbers, reference, seed, "voted") for seed in options.seeds]
    for name in SCALES[options.scale]:
        of = [numbers[f"{name}-{draw}"] for seed in options.seeds for draw in _draws(seed)]
        once, voted = ([pooled(numbers, name, seed, asked) for seed in options.seeds] for asked in ASKED)
        cells = [
            ROWS[name].method.title,
            f"{of[0]['parameters']:,}",
            f"{statistics.fmean(n['training'] for n in of):.1f}",
            mean_and_deviation(once),
            mean_and_deviation(voted),
            "" if name == reference else _difference(voted, peer),
            f"{statistics.fmean(n['seconds'] for n in of) / 60:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(values: Sequence[float], others: Sequence[float]) -> str:
    by_seed = [a - b for a, b in zip(values, others, strict=True)]
    mean = f"{statistics.fmean(by_seed):+.1f}"
    return mean if len(by_seed) < 2 else f"{mean} ± {statistics.stdev(by_seed) / len(by_seed) ** 0.5:.1f}"


STUDY = Study(
    "unseen_kinds",
    "networks on kinds of shapes that they never saw, beside their peers",
    "Beyond the paper: docs/unseen.md.",
    jobs,
    report,
    data="kinds.csv and <split>/<class>/<file>, as psb_folder writes them",
    seeds=3,
)

if __name__ == "__main__":
    main(STUDY)
