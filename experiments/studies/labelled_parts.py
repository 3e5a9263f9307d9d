"""Parts of meshes in 19 categories, beside published segmentation networks: five folds.

    python -m ccnn_geo.experiments.studies.labelled_parts --root FOLDER  # as parts_folder writes it

Every mesh is predicted at 512 points by the one of five networks that was not trained on it. Networks learn all
categories at once, or one each. The category of a shape is always given: its prediction leaves out the classes of other
categories. Everything except the network is as in ``models/parts``. The folds of all seeds are the same.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ccnn_geo.datasets.shapes.part_folder import PARTS
from ccnn_geo.experiments.data.folds import fold_folder, linked_folder
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.studies.budget_training import train_within
from ccnn_geo.experiments.studies.held_out import FITTED, recipe_settings
from ccnn_geo.experiments.studies.peer_training import apart
from ccnn_geo.experiments.studies.point_peers import Method, classifier
from ccnn_geo.experiments.studies.votes import trained_network
from ccnn_geo.io.files.sample_files import list_samples
from ccnn_geo.nn.part_groups import SIGN, category_of_classes, of_truths
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.data.shapes import ShapesDataModule

FOLDS, RECIPE = 5, "models/parts"
EPOCHS = {"small": 10, "full": 60}
SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Row:
    """A row: a network for all categories, or one for each."""

    method: Method
    by_category: bool = False


def _ours(title: str, **model: Any) -> Row:
    return Row(Method(title, RECIPE, model))


def _peer(title: str, **model: Any) -> Row:
    return Row(Method(title, model=model, optim={"lr": 1e-3}))


ROWS: Mapping[str, Row] = {
    "pointnet2": _peer("PointNet++ (SSG)", peer="pointnet2_parts", radii=[0.4, 0.8]),
    "dgcnn": _peer("DGCNN", peer="dgcnn_parts"),
    "ccnn_4_32": _ours("CCNN-4,32", preset="ccnn_4_32", hidden_channels=32),
    "ccnn_4_48": _ours("CCNN-4,48", hidden_channels=48),
    "ccnn_4_140": _ours("CCNN-4,140", preset="ccnn_4_140", hidden_channels=140),
    "members": _ours("four CCNN-4,48 in one", hidden_channels=48, members=4, kernel_hidden=24),
    "fitted": _ours("CCNN-4,48, kernels by the first batch", hidden_channels=48, **FITTED),
    "each": Row(
        Method("CCNN-4,32 for each category", RECIPE, {"preset": "ccnn_4_32", "hidden_channels": 32}), True
    ),
}
SCALES = {"small": ("pointnet2", "ccnn_4_32"), "full": tuple(ROWS)}
REFERENCE = {"small": "pointnet2", "full": "dgcnn"}
SCORES = ("points", "parts", "shapes")


def jobs(options: Options) -> Sequence[Job]:
    """A training of each row and fold, or for a row by category of each fold and category."""
    return [
        Job(f"{name}-{number}", partial(_train, options, ROWS[name], number))
        for seed in options.seeds
        for number in _numbers(seed)
        for name in SCALES[options.scale]
    ]


def _numbers(seed: int) -> range:
    return range(FOLDS * seed, FOLDS * (seed + 1))


def _train(options: Options, row: Row, number: int, folder: Path) -> Numbers:
    fold = number % FOLDS
    folds = folder.parents[1] / "folds"
    roots = {"": fold_folder(options.data_root, folds / str(fold), fold, FOLDS, PARTS)}
    if row.by_category:
        names = sorted(path.name for path in (roots[""] / "train").iterdir())
        roots = {name: one_category(roots[""], folds / f"{fold}-{name}", name) for name in names}
    found = []
    for name, root in roots.items():
        place = folder / (name or "all")
        place.mkdir(exist_ok=True)
        config = recipe_settings(RECIPE)(row.method, root, number // FOLDS)
        found.append(apart(train_and_score, place, config, classifier(row.method), EPOCHS[options.scale]))
    return {
        "both": dict(_summed(found, "both")),
        "either": dict(_summed(found, "either")),
        "right": sum(one["right"] for one in found),
        "points": sum(one["points"] for one in found),
        "shapes": [iou for one in found for iou in one["shapes"]],
        "training": statistics.fmean(one["training"] for one in found),
        "parameters": sum(one["parameters"] for one in found),
        "seconds": sum(one["seconds"][-1] for one in found),
    }


def _summed(found: Sequence[Numbers], key: str) -> Counter[str]:
    """Points of each part, summed over all trainings."""
    return sum((Counter(one[key]) for one in found), Counter())


def one_category(root: Path, out: Path, name: str) -> Path:
    """Writes a folder of one category of a folder of parts, as links."""

    def choose() -> dict[str, dict[str, list[Path]]]:
        return {part: {name: list_samples(root / part / name, PARTS).paths} for part in SPLITS}

    return linked_folder(out, choose)


def train_and_score(folder: Path, config: Mapping[str, Any], kind: str, epochs: int) -> Numbers:
    """Trains, and compares predictions at the points of validation shapes with their parts.

    Returns:
        The result of ``train_within``; ``both`` and ``either``, points of each part in the intersection and in the
        union of labels and predictions; ``right`` of ``points``; and ``shapes``, for each the mean IoU over the parts
        in its labels or its prediction.
    """
    found = train_within(folder, config, kind, epochs, None)
    network = trained_network(folder, kind)
    data = make_data(config["data"])
    assert isinstance(data, ShapesDataModule), "parts are of shapes"
    data.setup("fit")
    names = list(data.classes)
    if not all(SIGN in name for name in names):
        (category,) = (path.name for path in Path(config["data"]["root"], "train").iterdir())
        names = [f"{category}{SIGN}{name}" for name in names]
    groups = category_of_classes(names)
    both, either = (torch.zeros(len(names), dtype=torch.long) for _ in range(2))
    shapes, right, points = [], 0, 0
    for batch in data.val_dataloader():
        with torch.no_grad():
            logits = network(batch)
        said = (logits if groups is None else of_truths(logits, groups, batch.y)).argmax(1)
        for number in range(batch.num_graphs):
            own = (batch.batch == number) & (batch.y >= 0)
            hit, seen = overlaps(said[own], batch.y[own], len(names))
            both, either = both + hit, either + seen
            shapes.append(100 * float((hit[seen > 0] / seen[seen > 0]).mean()))
            right, points = right + int(hit.sum()), points + int(own.sum())
    return {
        **found,
        "both": dict(zip(names, both.tolist(), strict=True)),
        "either": dict(zip(names, either.tolist(), strict=True)),
        "right": right,
        "points": points,
        "shapes": shapes,
    }


def overlaps(said: Tensor, truth: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Points of each class in the intersection, and in the union.

    Example:
        >>> overlaps(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 3)
        (tensor([1, 1, 0]), tensor([2, 2, 0]))
    """
    both = truth[said == truth].bincount(minlength=classes)
    return both, said.bincount(minlength=classes) + truth.bincount(minlength=classes) - both


def scores(numbers: Mapping[str, Numbers], name: str, seed: int) -> dict[str, float]:
    """Percent of a seed: accuracy of ``points``, mean IoU over ``parts`` of all shapes, and over ``shapes``."""
    of = [numbers[f"{name}-{number}"] for number in _numbers(seed)]
    both, either = _summed(of, "both"), _summed(of, "either")
    return {
        "points": 100 * sum(one["right"] for one in of) / sum(one["points"] for one in of),
        "parts": 100 * statistics.fmean(both[part] / n for part, n in either.items() if n > 0),
        "shapes": statistics.fmean(iou for one in of for iou in one["shapes"]),
    }


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row for each network."""
    reference = REFERENCE[options.scale]
    lines = [
        f"Percent after {EPOCHS[options.scale]} epochs, over all meshes, each predicted by the one of {FOLDS} networks "
        "that did not see it, with its category given; mean and deviation over seeds. Minutes are those of one fold.",
        "",
        "| | parameters | points | mean IoU of parts | of shapes | "
        f"to {ROWS[reference].method.title} | minutes |",
        "|---|---|---|---|---|---|---|",
    ]
    peer = [scores(numbers, reference, seed)["shapes"] for seed in options.seeds]
    for name in SCALES[options.scale]:
        of = [numbers[f"{name}-{number}"] for seed in options.seeds for number in _numbers(seed)]
        found = [scores(numbers, name, seed) for seed in options.seeds]
        ahead = statistics.fmean(one["shapes"] - other for one, other in zip(found, peer, strict=True))
        cells = [
            ROWS[name].method.title,
            f"{of[0]['parameters']:,}",
            *(mean_and_deviation([one[score] for one in found]) for score in SCORES),
            "" if name == reference else f"{ahead:+.1f}",
            f"{statistics.fmean(n['seconds'] for n in of) / 60:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


STUDY = Study(
    "labelled_parts",
    "parts of meshes in 19 categories, beside published segmentation networks",
    "Beyond the paper.",
    jobs,
    report,
    data="<split>/<category>/<file> and labels, as parts_folder writes them",
    seeds=1,
    scales=tuple(SCALES),
)

if __name__ == "__main__":
    main(STUDY)
