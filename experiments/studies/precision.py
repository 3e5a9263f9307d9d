"""Training under bfloat16 autocast beside float32, on points, images and sequences.

    python -m ccnn_geo.experiments.studies.precision --root FOLDER  # with shapes/<split>/<class>/<file> and mnist/
    python -m ccnn_geo.experiments.studies.precision --scale paper --root FOLDER  # ModelNet40/, cifar10/ and mnist/

Both have the same initial weights, batches and augmentation, so that they are compared seed by seed. Kernels, sums over
neighbours and parameters are float32 in either case; autocast runs the linear layers between them in bfloat16.
Accuracies are those of the last epoch on validation data, which choose nothing here.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from ccnn_geo._base.pyg import Data
from ccnn_geo.experiments.benchmarks.timing import interleaved
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.task_study import Small, Task, job_name, present
from ccnn_geo.experiments.engine.training_job import train
from ccnn_geo.experiments.engine.training_study import draw_curves
from ccnn_geo.experiments.studies.table1 import PLANE, SEQUENCES, SHARED
from ccnn_geo.export.trained import read_network
from ccnn_geo.nn.build import class_logits
from ccnn_geo.training.data.families import make_data

FULL, MIXED = "32-true", "bf16-mixed"
"""Values of ``--trainer.precision``."""
DIGITS = {**SHARED, "data__limit": 6000, "trainer__max_epochs": 5}
TASKS = (
    Task(
        "points", "modelnet40", (84.44, 85.70), "ModelNet40", 40,
        small=Small("520 shapes", {}, "shapes", "shapes", config="shapes/ccnn_4_32"),
        suffix="_bandlimited",
    ),
    Task(
        "images", "cifar10", (92.78, 95.20), "cifar10", 10,
        small=Small("6,000 digits", {**DIGITS, **PLANE, "data__dataset": "mnist"}, "mnist"),
    ),
    Task(
        "sequences", "smnist", (99.72, 99.72), "mnist", 10,
        small=Small("6,000 digits", {**DIGITS, **SEQUENCES}, "mnist"),
    ),
)  # fmt: skip


def compare(options: Options, task: Task, precision: str, seed: int, folder: Path) -> Numbers:
    """Trains in one precision; returns the last epoch's losses and, for bfloat16, the time of a step in both."""
    config, changes, root = f"{task.config}/ccnn_4_140{task.suffix}", {}, options.root
    small = task.small if options.scale == "small" else None
    if small is not None:
        config = small.config or config
        changes, root = dict(small.options), Path(root or ".") / small.root
    changes |= {"trainer__precision": precision, "data__root": str(root)}
    found = train(folder, config, seed, **changes)
    with (folder / "run" / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    found |= {"training_loss": float(last["train_loss"]), "loss": float(last["val_loss"])}
    if precision == MIXED:
        found["step"] = step_seconds(folder / "run" / "checkpoints" / "last.ckpt")
    return found


def step_seconds(checkpoint: Path) -> dict[str, float]:
    """Median seconds of forward and backward pass on a validation batch, in each precision in turn."""
    hparams, network = read_network(checkpoint)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device).train()
    data = make_data(hparams["data"])
    data.setup("fit")
    batch = next(iter(data.val_dataloader()))
    x, y = (batch, batch.y) if isinstance(batch, Data) else batch
    x, y = x.to(device), y.to(device)

    def step(lower: bool) -> None:
        network.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=lower):
            loss = cross_entropy(class_logits(network(x)), y)
        loss.backward()

    return interleaved({FULL: partial(step, False), MIXED: partial(step, True)}, repeats=15)


def jobs(options: Options) -> Sequence[Job]:
    """A training of each task, precision and seed."""
    return [
        Job(job_name(task.name, precision, seed), partial(compare, options, task, precision, seed))
        for seed in options.seeds
        for task in present(TASKS, options)
        for precision in (FULL, MIXED)
    ]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes two rows per task; differences seed by seed."""
    head = (
        *("", "precision", "parameters", "training loss", "loss", "accuracy", f"against {FULL}"),
        *("minutes", "ms a step", "ratio"),
    )
    lines = [
        "Validation accuracy in percent after the last epoch; minutes of training, which other work may have",
        "slowed down; a step's passes are timed in turn on one batch.",
        "",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]
    curves = {}
    for task in present(TASKS, options):
        of = {p: [numbers[job_name(task.name, p, seed)] for seed in options.seeds] for p in (FULL, MIXED)}
        steps = {p: statistics.fmean(n["step"][p] for n in of[MIXED]) for p in of}
        for precision, found in of.items():
            curves[f"{task.name}, {precision}"] = found
            gains = [a["accuracy"] - b["accuracy"] for a, b in zip(found, of[FULL], strict=True)]
            cells = (
                task.name,
                precision,
                f"{found[0]['parameters']:,}",
                *(mean_and_deviation([n[key] for n in found], 3) for key in ("training_loss", "loss")),
                mean_and_deviation([n["accuracy"] for n in found]),
                mean_and_deviation(gains) if precision == MIXED else "",
                f"{statistics.fmean(n['seconds'][-1] for n in found) / 60:.2f}",
                f"{1000 * steps[precision]:.0f}",
                f"{steps[precision] / steps[FULL]:.2f}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    draw_curves(curves, folder / "curves.png")
    return "\n".join([*lines, "", "![Validation accuracy](curves.png)"])


STUDY = Study(
    "precision",
    "bfloat16 autocast beside float32 on points, images and sequences",
    "No table of the paper.",
    jobs,
    report,
    "shapes/<split>/<class>/<file> and mnist/ (small), or ModelNet40/, cifar10/ and mnist/ (paper); any of them",
    seeds=3,
)

if __name__ == "__main__":
    main(STUDY)
