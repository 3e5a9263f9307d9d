"""Sequential MNIST: a causal CCNN beside S4 of the same width, accuracy against epochs and against minutes.

    python -m ccnn_geo.experiments.studies.smnist_s4 --root FOLDER  # with mnist/, as its publisher ships it
    python -m ccnn_geo.experiments.studies.smnist_s4 --scale paper --root FOLDER     # all images, 210 epochs

Both have the frame of CCNN-4,140 (stem, four pre-norm blocks, GELU, pointwise layers, mean, head), one with its
continuous kernels, one with S4 of 64 states per channel in their place. They see the same images in the same order,
with the same schedule; S4's systems are trained as by its authors. At small scale the learning rate of each, and the
CCNN's omega_0, is the best of three tries of four epochs on 2,000 images, judged by the validation images that are
reported here too. The test set is used once, after the last epoch.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ccnn_geo.datasets.images.mnist import SequentialMNIST
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.engine.training_study import draw_curves
from ccnn_geo.experiments.studies.peer_training import train_apart
from ccnn_geo.training.lightning import yaml
from ccnn_geo.training.runs import find_config

CONFIG = "smnist/ccnn_4_140"
NETWORKS = {"ccnn": "CCNN-4,140", "s4": "S4, width 140"}
"""Classifiers of ``peer_training``, with their titles."""
Changes = Mapping[str, Mapping[str, Any]]
"""Settings by their part of a configuration."""
PEER: Mapping[str, Changes] = {"s4": {"optim": {"kernel_l2": 0.0}}}
"""S4 has no continuous kernels to penalise."""
SMALL: Changes = {
    "model": {"dropout": 0.0},
    "optim": {"warmup_epochs": 0.5},
    "data": {"batch_size": 50, "limit": 5000},
    "trainer": {"max_epochs": 5, "limit_val_batches": 20},
}
SMALL_OF: Mapping[str, Changes] = {
    "ccnn": {"model": {"omega_0": 1000.0}, "optim": {"lr": 0.01}},
    "s4": {"optim": {"lr": 0.01}},
}
PUBLISHED = {"CCNN-4,140": 99.72, "CCNN-6,380": 99.72, "S4, 7.8 M parameters": 99.63}
"""Test accuracies of the paper's Table 1, in percent."""


def settings(scale: str, network: str, root: Path, seed: int) -> dict[str, Any]:
    """The published configuration with the changes: ``seed``, ``model``, ``optim``, ``data``, ``trainer``."""
    config = yaml.safe_load(find_config(CONFIG).read_text())
    changes: list[Changes] = [PEER.get(network, {}), {"data": {"root": str(root)}}]
    if scale == "small":
        changes += [SMALL, SMALL_OF[network]]
    parts = {part: dict(config[part]) for part in ("model", "optim", "data", "trainer")}
    for change in changes:
        for part, values in change.items():
            parts[part].update(values)
    return {"seed": seed, **parts}


def jobs(options: Options) -> Sequence[Job]:
    """A training of each network and seed."""
    for split in ("train", "test"):
        SequentialMNIST(options.data_root, split)  # finds what is missing before any training
    return [
        Job(f"{network}-{seed}", partial(_train, options, network, seed))
        for seed in options.seeds
        for network in NETWORKS
    ]


def _train(options: Options, network: str, seed: int, folder: Path) -> Numbers:
    return train_apart(folder, settings(options.scale, network, options.data_root, seed), network)


def accuracy_after(run: Numbers, seconds: float) -> float | None:
    """Validation accuracy of the last epoch that had ended by then; None if none had."""
    ended = [accuracy for accuracy, at in zip(run["curve"], run["seconds"], strict=True) if at <= seconds]
    return ended[-1] if ended else None


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row per network, the paper's figures, and the final widths of the windows."""
    found = {
        name: [numbers[f"{network}-{seed}"] for seed in options.seeds] for network, name in NETWORKS.items()
    }
    draw_curves(found, folder / "curves.png")
    shortest = min(run["seconds"][-1] for runs in found.values() for run in runs)
    times = (shortest / 2, shortest)
    epochs = len(found["CCNN-4,140"][0]["curve"])
    head = ["", "parameters", "minutes per epoch"]
    head += [f"after {seconds / 60:.1f} minutes" for seconds in times]
    head += [f"after {epochs} epochs", "test"]
    lines = [
        "Accuracy in percent on validation images after the last finished epoch, and on the test set at the end.",
        "On a CPU minutes are those of the processor.",
        "",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]
    for name, runs in found.items():
        cells = [
            name,
            f"{runs[0]['parameters']:,}",
            f"{statistics.fmean(run['seconds'][-1] / len(run['seconds']) for run in runs) / 60:.2f}",
            *(_mean([accuracy_after(run, seconds) for run in runs]) for seconds in times),
            mean_and_deviation([run["curve"][-1] for run in runs]),
            mean_and_deviation([run["accuracy"] for run in runs], 2),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for name, accuracy in PUBLISHED.items():
        lines.append(f"| {name}, the paper{' |' * (len(head) - 1)} {accuracy:.2f} |")
    before = settings(options.scale, "ccnn", Path(), 0)["model"]["window_init"]
    windows = [run["windows"] for run in found["CCNN-4,140"]]
    widths = ", ".join(f"{statistics.fmean(layer):.3f}" for layer in zip(*windows, strict=True))
    lines += [
        "",
        f"Mean width of the CCNN's windows, stem to last block: {widths}; {before} before training, on a sequence "
        "of length 2. A kernel ends at 2.1 widths.",
        "",
        "![Validation accuracy](curves.png)",
    ]
    return "\n".join(lines)


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return "-" if len(known) < len(values) else mean_and_deviation(known)


STUDY = Study(
    "smnist_s4",
    "a causal CCNN beside S4 of the same width on sequential MNIST",
    "Table 1 of the paper.",
    jobs,
    report,
    data="mnist/ with its four published files, which are fetched if missing, see ccnn-geo data info smnist",
)

if __name__ == "__main__":
    main(STUDY)
