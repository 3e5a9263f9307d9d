"""Samples per second of a loader, and whether it keeps a training fed.

    python -m ccnn_geo.experiments.benchmarks.bench_loader shapes
    python -m ccnn_geo.experiments.benchmarks.bench_loader mnist --root data

``shapes`` are clouds of parametric shapes in the form of ModelNet40 (2,048 stored points, 512 drawn and augmented);
``mnist`` needs MNIST in ``root``, as images, or as sequences for ``smnist``. For each number of worker processes the
loader alone is timed, then a training of its model, with the share of time spent waiting for a batch.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional as F

from ccnn_geo.experiments.benchmarks.timing import machine
from ccnn_geo.nn.build import build_network
from ccnn_geo.training.data.base import EpochDataModule
from ccnn_geo.training.data.families import make_data

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "shapes": (
        {
            "dataset": "parametric",
            "num_points": 512,
            "num_samples": 2048,
            "batch_size": 16,
            "augment": {"scale": [0.67, 1.5], "shift": 0.2, "jitter": 0.01},
        },
        {"preset": "ccnn_4_32", "omega_0": 0.5, "window_init": 0.5, "num_neighbors": 32},
    ),
    "mnist": ({"dataset": "mnist", "batch_size": 100, "augment": {"crop": 2}}, {"preset": "ccnn_4_16"}),
    "smnist": ({"dataset": "smnist", "batch_size": 100}, {"preset": "ccnn_4_16", "causal": True}),
}
"""Data and model of each case: small models, which are the hardest to feed."""


def main(argv: list[str] | None = None) -> None:
    """Prints samples per second for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument(
        "--root", help="Folder with MNIST; for shapes by default a folder that is removed afterwards."
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--batches", type=int, default=60, help="Batches to time, after one for warm-up.")
    args = parser.parse_args(argv)
    print(f"{machine()}; {args.case}, {args.batches} batches")
    print("workers  loader alone   in training   without loading   waiting")
    with tempfile.TemporaryDirectory() as folder:
        for workers in args.workers:
            print(row(args.case, args.root or folder, workers, args.batches), flush=True)


def row(case: str, root: str, workers: int, batches: int) -> str:
    """Returns the figures for one number of workers."""
    settings, model = CASES[case]
    data = make_data({**settings, "root": root, "num_workers": workers})
    data.setup("fit")
    size = data.batch_size
    alone = time_loader(data, batches)
    step = training_step(data, model)
    fed, waited = time_training(forever(data), step, batches)
    # the same batch again leaves the time of the training alone
    bare, _ = time_training(itertools.repeat(next(forever(data))), step, batches)
    rates = [f"{size * batches / seconds:10,.0f} /s" for seconds in (alone, fed, bare)]
    return f"{workers:7d} {rates[0]} {rates[1]}    {rates[2]}    {100 * waited / fed:5.1f} %"


def forever(data: EpochDataModule) -> Iterator[Any]:
    """Yields batches of one epoch after another."""
    loader = data.train_dataloader()
    for epoch in itertools.count():
        loader.sampler.set_epoch(epoch)
        yield from loader


def time_loader(data: EpochDataModule, batches: int) -> float:
    """Seconds for a number of batches, after the first."""
    source = forever(data)
    next(source)
    start = time.perf_counter()
    for _ in itertools.islice(source, batches):
        pass
    return time.perf_counter() - start


def training_step(data: EpochDataModule, model: dict[str, Any]) -> Any:
    """Returns a function that trains a network on a batch."""
    torch.manual_seed(0)
    assert data.in_channels is not None, "set up before"
    network = build_network(data.in_channels, len(data.classes), data.dim, data.readout, **model)
    optimizer = torch.optim.AdamW(network.parameters())

    def step(batch: Any) -> None:
        inputs, y = batch if isinstance(batch, list | tuple) else (batch, batch.y)
        F.cross_entropy(network(inputs), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def time_training(source: Iterator[Any], step: Any, batches: int) -> tuple[float, float]:
    """Seconds for a number of steps, after the first, and the part of them spent waiting for batches."""
    step(next(source))
    waited, begin = 0.0, time.perf_counter()
    for _ in range(batches):
        start = time.perf_counter()
        batch = next(source)
        waited += time.perf_counter() - start
        step(batch)
    return time.perf_counter() - begin, waited


if __name__ == "__main__":
    main()
