"""A training and its tests as a job of a study, in separate processes; interrupted trainings continue."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path

import torch

from ccnn_geo.experiments.engine.reproduction import Numbers
from ccnn_geo.export.trained import read_network


def train(folder: Path, config: str, seed: int, **overrides: object) -> Numbers:
    """Runs ``ccnn-geo train`` and returns the results of its last epoch.

    Args:
        folder: Folder of the run; a run that is in there continues.
        config: Name or file of a configuration; empty for none.
        seed: Seed of weights, order, augmentation and dropout.
        **overrides: Options, ``data__num_points=256`` for ``--data.num_points 256``; lists and dictionaries as JSON.

    Returns:
        ``accuracy`` and ``mean_class_accuracy`` on validation data in percent, of the last epoch; ``curve`` and
        ``training_curve``, the accuracies after each epoch; ``seconds``, up to each epoch's end; ``parameters``.

    Raises:
        RuntimeError: If the command fails; quotes its last line.
        KeyboardInterrupt: If it was interrupted.
    """
    run = folder / "run"
    if not (run / "results.json").exists():
        resumes = (run / "checkpoints" / "last.ckpt").exists()
        place = ["--resume", str(run)] if resumes else ["--out", str(run)]
        file = ["--config", config] if config else []
        _run(["train", *file, "--seed", str(seed), *flags(overrides), *place])
    return _numbers(run)


def test(folder: Path, name: str = "test", **overrides: object) -> float:
    """Runs ``ccnn-geo test`` on the last epoch's weights and returns the accuracy on the test set in percent.

    Args:
        folder: Folder of a job with a finished :func:`train`.
        name: Name of the folder of the results, in it; a test that is there does not run again.
        **overrides: As in :func:`train`.

    Raises:
        RuntimeError: If the command fails; quotes its last line.
        KeyboardInterrupt: If it was interrupted.
    """
    found = folder / name / "results.json"
    if not found.exists():
        found.parent.mkdir(exist_ok=True)
        last = folder / "run" / "checkpoints" / "last.ckpt"
        _run(["test", str(last), "--out", str(found.parent), *flags(overrides)])
    (scores,) = json.loads(found.read_text()).values()
    return 100 * scores["accuracy"]


def flags(overrides: Mapping[str, object]) -> list[str]:
    """Writes options as the command line takes them."""
    found = []
    for name, value in overrides.items():
        found += [f"--{name.replace('__', '.')}", value if isinstance(value, str) else json.dumps(value)]
    return found


def _run(arguments: list[str]) -> None:
    """Runs the command line in a process with this one's share of the cores."""
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, "-m", "ccnn_geo.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **threads})
    if done.returncode == 130:
        raise KeyboardInterrupt
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise RuntimeError(f"{' '.join(command[3:])}: {lines[-1]}")


def _numbers(run: Path) -> Numbers:
    last = json.loads((run / "results.json").read_text())["validation"]["last_epoch"]
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    _, network = read_network(run / "checkpoints" / "last.ckpt")
    return {
        "accuracy": 100 * last["val_acc"],
        "mean_class_accuracy": 100 * last["val_mean_acc"],
        "curve": [100 * float(row["val_acc"]) for row in rows],
        "training_curve": [100 * float(row["train_acc"]) for row in rows],
        "seconds": list(accumulate(float(row["seconds"]) for row in rows)),
        "parameters": sum(p.numel() for p in network.parameters()),
    }
