"""Rows of networks beside their peers on held-out samples: equal data, augmentation, batches and epochs.

Each network is tested on the fold that it was not trained on. A study splits its data into some folds, numbers 0 to
n - 1 for seed 0, n to 2n - 1 for seed 1, and so on. The accuracy of a seed covers all samples, each predicted by the
network that was not trained on it. Validation chooses nothing within a training. A committee averages the
probabilities of several networks with other seeds. Votes are those of :mod:`~ccnn_geo.experiments.studies.votes`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, mean_and_deviation
from ccnn_geo.experiments.studies.peer_training import apart
from ccnn_geo.experiments.studies.point_peers import METHODS, Method, classifier
from ccnn_geo.experiments.studies.votes import ANSWERS, VOTES, train_and_vote
from ccnn_geo.training.lightning import yaml
from ccnn_geo.training.runs import find_config

ASKED = ("once", "voted")
Settings = Callable[[Method, Path, int], dict[str, Any]]
"""Configuration of a method, for the folder of a fold and a seed."""


@dataclass(frozen=True)
class Row:
    """A row: a network, its settings, and its number of trainings.

    Args:
        method: The network and its settings.
        augment: Settings of the augmentation that differ.
        members: Networks of a committee.
        data: Settings of the data that differ.
    """

    method: Method
    augment: Mapping[str, Any] = field(default_factory=dict)
    members: int = 1
    data: Mapping[str, Any] = field(default_factory=dict)


Part = Callable[[Path, Path, int], Path]
"""Writes the folder of a fold, given the root, the target folder and the number."""


def same_folds(write: Part, folds: int) -> Part:
    """Makes folds the same for all seeds: number n is fold n mod ``folds``."""
    return lambda root, out, number: write(root, out, number % folds)


def recipe_settings(recipe: str) -> Settings:
    """Returns configurations with ``data``, ``trainer`` and ``optim`` of a packaged one, for networks of all kinds.

    A CCNN also has its ``model``, with the changes of its row. A peer has the settings of its row, its own learning
    rate, and the recipe's features without positions, which peers add themselves.
    """

    def settings(method: Method, root: Path, seed: int) -> dict[str, Any]:
        stored = yaml.safe_load(find_config(recipe).read_text())
        data, is_peer = {**stored["data"], "root": str(root)}, classifier(method) == "peer"
        if is_peer:
            seen = [name for name in data["features"] if name not in ("constant", "pos")]
            data["features"] = seen or ["constant"]
        shared = {key: value for key, value in stored["optim"].items() if key != "warmup_epochs"}
        return {
            "seed": seed,
            "model": dict(method.model) if is_peer else {**stored["model"], **method.model},
            "optim": {**shared, **(method.optim if is_peer else {})},
            "data": data,
            "trainer": {key: value for key, value in stored["trainer"].items() if key != "max_epochs"},
        }

    return settings


def changed(title: str, augment: Mapping[str, Any], preset: str = "ccnn_4_48", **model: Any) -> Row:
    """A row of a band-limited CCNN with other arguments."""
    return Row(replace(METHODS["ccnn_4_48"], title=title, model={"preset": preset, **model}), augment)


FITTED: Mapping[str, Any] = {"omega_0": None, "window_init": None}
"""Arguments of a network with kernels that fit the first batch, without hand-picked numbers."""


@dataclass(frozen=True)
class HeldOut:
    """A study of rows on folds of a folder of shapes.

    Args:
        rows: The rows, by name.
        scales: Names of the rows of each scale.
        epochs: Epochs of every training, by scale.
        folds: Folds of a seed.
        part: Writes the folder of a fold.
        settings: Configuration of a method.
        reference: The row that the others are compared with, by scale.
        what: Subject of the accuracies, for the text above the table.
        parts: Name of the folder of the folds.
    """

    rows: Mapping[str, Row]
    scales: Mapping[str, Sequence[str]]
    epochs: Mapping[str, int]
    folds: int
    part: Part
    settings: Settings
    reference: Mapping[str, str]
    what: str
    parts: str = "draws"

    def jobs(self, options: Options) -> Sequence[Job]:
        """A training of each row and fold."""
        return [
            Job(f"{name}-{number}", partial(self._train, options, self.rows[name], number))
            for seed in options.seeds
            for number in self._numbers(seed)
            for name in self.scales[options.scale]
        ]

    def _numbers(self, seed: int) -> range:
        return range(self.folds * seed, self.folds * (seed + 1))

    def _train(self, options: Options, row: Row, number: int, folder: Path) -> Numbers:
        root = self.part(options.data_root, folder.parents[1] / self.parts / str(number), number)
        config = self.settings(row.method, root, number // self.folds)
        config["data"] |= row.data
        config["data"]["augment"] = {**config["data"].get("augment", {}), **row.augment}
        found, answers = [], []
        for member in range(row.members):
            place = folder / str(member)
            place.mkdir(exist_ok=True)
            own = {**config, "seed": row.members * config["seed"] + member}
            epochs = self.epochs[options.scale]
            found.append(apart(train_and_vote, place, own, classifier(row.method), epochs))
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

    def pooled(self, numbers: Mapping[str, Numbers], name: str, seed: int, asked: str) -> float:
        """Accuracy in percent over all samples of a seed, ``once`` or ``voted``."""
        of = [numbers[f"{name}-{number}"] for number in self._numbers(seed)]
        return sum(n[asked] * n["shapes"] for n in of) / sum(n["shapes"] for n in of)

    def sizes(self, numbers: Mapping[str, Numbers], options: Options) -> dict[str, tuple[int, float]]:
        """Parameters and mean accuracy of each row, by name."""
        return {
            name: (
                numbers[f"{name}-{self.folds * options.seeds[0]}"]["parameters"],
                statistics.fmean(self.pooled(numbers, name, seed, "once") for seed in options.seeds),
            )
            for name in self.scales[options.scale]
        }

    def report(self, numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
        """Writes a row for each method."""
        reference = self.reference[options.scale]
        lines = [
            f"Accuracy in percent {self.what}, after {self.epochs[options.scale]} epochs; mean and deviation over "
            f"seeds. By votes: the mean over {VOTES} augmented copies of a sample. The last column but one is the mean "
            "difference seed by seed, of votes to votes, with its standard error. Minutes are those of one training.",
            "",
            f"| | parameters | training | once | by votes | to {self.rows[reference].method.title} | minutes |",
            "|---|---|---|---|---|---|---|",
        ]
        peer = [self.pooled(numbers, reference, seed, "voted") for seed in options.seeds]
        for name in self.scales[options.scale]:
            of = [numbers[f"{name}-{number}"] for seed in options.seeds for number in self._numbers(seed)]
            once, voted = (
                [self.pooled(numbers, name, seed, asked) for seed in options.seeds] for asked in ASKED
            )
            cells = [
                self.rows[name].method.title,
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
