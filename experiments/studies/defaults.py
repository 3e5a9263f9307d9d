"""Kernels fitted to their first batch beside hand-picked frequencies and windows, on six kinds of data.

    python -m ccnn_geo.experiments.studies.defaults --root FOLDER

FOLDER holds mnist/ and cifar10/ from ``ccnn-geo data prepare``, fsdd/ from
``python -m ccnn_geo.experiments.data.fsdd_folder``, shapes/ from ``psb_folder``, voxels/ from ``voxels_folder``
and physionet2012/ with set-c. Tasks without data are left out. Only training and validation sets are read. The
hand-picked settings come from table 1, the shapes' recipe and the examples. Both rows of a task are the
same training except for ``omega_0`` and ``window_init``.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ccnn_geo._base.pyg import DataLoader
from ccnn_geo.datasets import dataset_class
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.training_job import train
from ccnn_geo.experiments.studies.table1 import PLANE, SEQUENCES, SHARED, SPEECH, WAVES
from ccnn_geo.export.trained import read_network

SHAPES = {"data__num_points": 256}


@dataclass(frozen=True)
class Task:
    """A kind of data.

    Args:
        name: Name in the report.
        folder: Folder of its data below ``--root``.
        config: Name of a configuration; empty for none.
        options: Options of the training, including the hand-picked settings of the kernels.
        metric: ``"accuracy"`` or ``"auroc"``.
    """

    name: str
    folder: str
    config: str
    options: Mapping[str, Any]
    metric: str = "accuracy"

    def fitted(self) -> dict[str, Any]:
        """The options without the settings of the kernels."""
        return {**self.options, "model__omega_0": None, "model__window_init": None, "model__conv": {}}


TASKS = (
    Task("sMNIST", "mnist", "smnist/ccnn_4_140", {
        **SHARED, **SEQUENCES, "data__limit": 6000, "trainer__max_epochs": 5,
    }),
    Task("spoken digits, waves at 4 kHz", "fsdd", "speech_raw/ccnn_4_140", {
        **SHARED, **SPEECH, "data__dataset_args": {**WAVES, "rate": 4000}, "data__augment": {"shift": 400},
        "trainer__max_epochs": 5,
    }),
    Task("CIFAR-10", "cifar10", "cifar10/ccnn_4_140", {
        **SHARED, **PLANE, "data__limit": 5000, "trainer__max_epochs": 5,
    }),
    Task("Princeton shapes", "shapes", "shapes/ccnn_4_32", {"trainer__max_epochs": 15}),
    Task("ModelNet10, voxels", "voxels", "shapes/ccnn_4_32_random", {
        **SHAPES, "model__preset": "ccnn_4_16", "data__features": ["constant", "pos"],
        "optim__warmup_epochs": 1, "trainer__max_epochs": 8,
    }),
    Task("PhysioNet 2012", "physionet2012", "", {
        "model__preset": "ccnn_4_16", "model__causal": True, "model__num_neighbors": 64, "model__dropout": 0.1,
        "model__omega_0": 5.0, "model__window_init": 0.3,
        "optim__lr": 0.01, "optim__weight_decay": 0.1, "optim__decay": "weights",
        "data__dataset": "physionet2012", "data__dataset_args": {"sets": "c"}, "data__batch_size": 32,
        "trainer__max_epochs": 6, "trainer__gradient_clip_val": 1.0,
    }, "auroc"),
)  # fmt: skip
SETTINGS = ("hand-picked", "fitted")


def run(task: Task, setting: str, options: Options, seed: int, folder: Path) -> Numbers:
    """Trains once; ``score`` is in percent, of the last epoch on the validation set."""
    given = dict(task.options) if setting == "hand-picked" else task.fitted()
    root = options.data_root / task.folder
    found = train(folder, task.config, seed, **given, data__root=str(root))
    found["score"] = found["accuracy"]
    if task.metric == "auroc":
        found["score"] = 100 * auroc(folder / "run" / "checkpoints" / "last.ckpt", task, root)
    return found


@torch.no_grad()
def auroc(checkpoint: Path, task: Task, root: Path) -> float:
    """Area under the curve of a network on the validation set, averaged over the classes."""
    from torchmetrics.functional.classification import multiclass_auroc

    _, network = read_network(checkpoint)
    network.eval()
    data = dataset_class(task.options["data__dataset"])(
        str(root), "validation", **task.options["data__dataset_args"]
    )
    logits = torch.cat([network(batch) for batch in DataLoader(data, batch_size=32)])
    return float(multiclass_auroc(logits, data.y, logits.size(1)))


def jobs(options: Options) -> Sequence[Job]:
    """A training of each task, setting and seed, the first seed of all tasks first."""
    present = [task for task in TASKS if (options.data_root / task.folder).exists()]
    if not present:
        wanted = ", ".join(task.folder for task in TASKS)
        raise FileNotFoundError(f"defaults: expected one of {wanted} in {options.data_root}, found none")
    return [
        Job(f"{task.folder}-{setting}-{seed}", partial(run, task, setting, options, seed))
        for seed in options.seeds
        for task in present
        for setting in SETTINGS
    ]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row per task: both scores, and their difference seed by seed with its standard error."""
    lines = [
        "Validation accuracy after the last epoch in percent; for PhysioNet 2012 the area under the ROC curve.",
        "",
        "| task | parameters | hand-picked | fitted | difference | minutes each |",
        "|---|---|---|---|---|---|",
    ]
    for task in TASKS:
        found = [
            [numbers[f"{task.folder}-{setting}-{seed}"] for seed in options.seeds]
            for setting in SETTINGS
            if f"{task.folder}-{setting}-{options.seeds[0]}" in numbers
        ]
        if not found:
            continue
        hand, fitted = ([n["score"] for n in of] for of in found)
        change = [b - a for a, b in zip(hand, fitted, strict=True)]
        error = statistics.stdev(change) / math.sqrt(len(change)) if len(change) > 1 else math.nan
        minutes = statistics.fmean(n["seconds"][-1] for of in found for n in of) / 60
        cells = [
            task.name,
            f"{found[1][0]['parameters']:,}",
            mean_and_deviation(hand),
            mean_and_deviation(fitted),
            f"{statistics.fmean(change):+.1f} ± {error:.1f}",
            f"{minutes:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


STUDY = Study(
    "defaults",
    "kernels fitted to their first batch beside hand-picked ones; no table of the paper",
    "none; the defaults of this package.",
    jobs,
    report,
    "mnist/, fsdd/, cifar10/, shapes/, voxels/, physionet2012/; any of them",
    seeds=3,
)

if __name__ == "__main__":
    main(STUDY)
