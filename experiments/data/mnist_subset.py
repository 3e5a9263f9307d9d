"""A small CCNN on 5,000 digits as images or as causal sequences; the image model also as point clouds.

    python -m ccnn_geo.experiments.data.mnist_subset mnist.npz image
    python -m ccnn_geo.experiments.data.mnist_subset mnist.npz sequence

``mnist.npz`` holds ``x_train [60000, 28, 28]`` and ``y_train``; images 5,000 to 5,999 of it are the validation set.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ccnn_geo import CCNN
from ccnn_geo.experiments.benchmarks.timing import machine
from ccnn_geo.functional.representations import to_points

TASKS: Mapping[str, Mapping[str, Any]] = {
    "image": {"dim": 2, "omega_0": 10.0, "window_init": 0.2},
    "sequence": {"dim": 1, "omega_0": 500.0, "causal": True},
}


@torch.no_grad()
def accuracy(model: CCNN, x: Tensor, y: Tensor, as_points: bool = False) -> float:
    """Share of correct predictions on grids, or on the same samples as points with all pairs as neighbours."""
    model.eval()
    model.num_neighbors = None
    parts = x.split(20 if as_points else 200)
    logits = [model(to_points(part) if as_points else part) for part in parts]
    return (torch.cat(logits).argmax(dim=1) == y).float().mean().item()


def main(argv: list[str] | None = None) -> None:
    """Trains, and prints the validation accuracy of each epoch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    with np.load(args.archive, allow_pickle=False) as data:
        x = (torch.from_numpy(data["x_train"][:6000]).float().unsqueeze(1) / 255 - 0.1307) / 0.3081
        y = torch.from_numpy(data["y_train"][:6000]).long()
    if args.task == "sequence":
        x = x.flatten(2)
    model = CCNN.from_preset("ccnn_4_16", in_channels=1, out_channels=10, **TASKS[args.task])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=100 * args.epochs)
    print(f"{machine()}; {sum(p.numel() for p in model.parameters()):,} parameters")
    start = time.perf_counter()
    for epoch in range(args.epochs):
        model.train()
        for index in torch.randperm(5000).split(50):
            loss = torch.nn.functional.cross_entropy(model(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        share = accuracy(model, x[5000:], y[5000:])
        print(f"epoch {epoch + 1}: validation {share:.1%} after {(time.perf_counter() - start) / 60:.1f} min")
    few = slice(5000, 5200)
    print(f"200 of them as grids {accuracy(model, x[few], y[few]):.1%}, ", end="")
    print(f"as points {accuracy(model, x[few], y[few], as_points=True):.1%}")


if __name__ == "__main__":
    main()
