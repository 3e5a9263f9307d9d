"""Networks on kinds of shapes that they never saw, beside their peers: equal data, augmentation, batches and epochs.

    python -m ccnn_geo.experiments.studies.unseen_kinds --root FOLDER  # kinds.csv in it, as psb_folder writes it

Each training holds out whole kinds, biplanes, say, and no biplane trains (``kind_folds``). Seed s is the s-th parting
of the kinds into four, each of which is held out by one training. Accuracies are those of all shapes, each answered by
the network that did not see its kind. Everything else is as in ``point_peers``. Validation chooses nothing within a
training.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ccnn_geo.experiments.data.folds import FOLDS
from ccnn_geo.experiments.data.kind_folds import kind_folder, read_kinds
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.studies.budget_training import train_within
from ccnn_geo.experiments.studies.peer_training import apart
from ccnn_geo.experiments.studies.point_peers import METHODS, Method, classifier, settings

EPOCHS = 30
STRONG = {"scale": [0.5, 1.6], "jitter": 0.02, "point_dropout": 0.5}
PEERS = ("pointnet", "pointnet2", "dgcnn", "pointmlp", "pointnext")
_BASE = METHODS["ccnn_4_48"]
ROWS: Mapping[str, Method] = {
    **{name: METHODS[name] for name in (*PEERS, "ccnn_4_32", "ccnn_4_48", "ccnn_4_140")},
    "strong": replace(_BASE, title="CCNN-4,48, stronger augmentation", augment=STRONG),
    "ema": replace(_BASE, title="CCNN-4,48, averaged weights", optim={"ema": 0.99}),
    "mean_max": replace(
        _BASE,
        title="CCNN-4,48, stronger augmentation, mean and maximum",
        model={**_BASE.model, "pool": "mean_max"},
        augment=STRONG,
    ),
    "without_pos": replace(
        _BASE,
        title="CCNN-4,48, stronger augmentation, positions not a feature",
        features=("constant", "normal_outer"),
        augment=STRONG,
    ),
}
"""What is trained."""
SCALES = {"small": ("pointnet", "ccnn_4_48", "strong"), "paper": tuple(ROWS)}
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


def _train(options: Options, method: Method, draw: int, folder: Path) -> Numbers:
    root = kind_folder(options.data_root, folder.parents[1] / "draws" / str(draw), draw)
    config = settings(method, "small", root, draw // FOLDS)
    found = apart(train_within, folder, config, classifier(method), EPOCHS, None)
    return {**found, "shapes": sum(1 for _ in (root / "validation").glob("*/*"))}


def pooled(numbers: Mapping[str, Numbers], name: str, seed: int) -> float:
    """Accuracy in percent over all shapes of a parting."""
    of = [numbers[f"{name}-{draw}"] for draw in _draws(seed)]
    return sum(n["accuracy"] * n["shapes"] for n in of) / sum(n["shapes"] for n in of)


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """A row for each method."""
    reference = REFERENCE[options.scale]
    lines = [
        f"Accuracy in percent on kinds that were held out, after {EPOCHS} epochs: of all shapes, each answered by the "
        f"one of {FOLDS} networks that did not see its kind; mean and deviation over partings of the kinds. The last "
        "column but one is the mean difference parting by parting, with its standard error. Minutes are those of one "
        "training.",
        "",
        f"| | parameters | training | unseen kinds | to {ROWS[reference].title} | minutes |",
        "|---|---|---|---|---|---|",
    ]
    peer = [pooled(numbers, reference, seed) for seed in options.seeds]
    for name in SCALES[options.scale]:
        of = [numbers[f"{name}-{draw}"] for seed in options.seeds for draw in _draws(seed)]
        unseen = [pooled(numbers, name, seed) for seed in options.seeds]
        cells = [
            ROWS[name].title,
            f"{of[0]['parameters']:,}",
            f"{statistics.fmean(n['training'] for n in of):.1f}",
            mean_and_deviation(unseen),
            "" if name == reference else _difference(unseen, peer),
            f"{statistics.fmean(n['seconds'][-1] for n in of) / 60:.1f}",
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
