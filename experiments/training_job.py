"""A training as one job of a study: in a process of its own, and continued where it was interrupted."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from itertools import accumulate
from pathlib import Path

import torch

from ccnn_geo.experiments.reproduction import Numbers
from ccnn_geo.predict import read_network


def train(folder: Path, config: str, seed: int, **overrides: object) -> Numbers:
    """Runs ``ccnn-geo train`` and returns what its last epoch reached.

    Args:
        folder: Of the run; a run that is in there goes on.
        config: Name or file of a configuration.
        seed: Of weights, order, augmentation and dropout.
        **overrides: Options, ``data__num_points=256`` for ``--data.num_points 256``; lists and dictionaries as JSON.

    Returns:
        ``accuracy`` and ``mean_class_accuracy`` on validation data in percent, of the last epoch; ``curve`` and
        ``training_curve``, the accuracies after each epoch; ``seconds``, up to each epoch's end; ``parameters``.

    Raises:
        RuntimeError: With the command's last line if it fails.
        KeyboardInterrupt: If it was interrupted.
    """
    run = folder / "run"
    if not (run / "results.json").exists():
        command = [sys.executable, "-m", "ccnn_geo.cli", "train", "--config", config, "--seed", str(seed)]
        for name, value in overrides.items():
            plain = value if isinstance(value, str) else json.dumps(value)
            command += [f"--{name.replace('__', '.')}", plain]
        resumes = (run / "checkpoints" / "last.ckpt").exists()
        command += ["--resume", str(run)] if resumes else ["--out", str(run)]
        threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # this process's share of the cores
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **threads})
        if done.returncode == 130:
            raise KeyboardInterrupt
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise RuntimeError(f"{' '.join(command[3:])}: {lines[-1]}")
    return _numbers(run)


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
