"""Trains networks on several kinds of data at equal steps: one for each kind, or one with a shared trunk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ccnn_geo import CCNN
from ccnn_geo._base.pyg import Data
from ccnn_geo.experiments.engine.reproduction import Numbers
from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.nn.build import build_network
from ccnn_geo.nn.joint import JointCCNN, embed_grid
from ccnn_geo.training.data.base import EpochDataModule
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.schedule import warmup_cosine
from ccnn_geo.training.seeds import local_seed, mix_seed

DIM = 3


class Kind:
    """One kind of data: its samples, and their form for a network.

    Args:
        data: Settings of a data module, see :func:`~ccnn_geo.training.data.families.make_data`.
        seed: Seed of the order and of the augmentation.
        spacing: Distance between the samples of a grid.
        validate: Validation samples to use, the first ones; None for all.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        seed: int,
        spacing: float | None = None,
        validate: int | None = None,
    ) -> None:
        self.data: EpochDataModule = make_data(data)
        self.data.run_seed = seed
        self.data.prepare_data()
        self.data.setup("fit")
        self.data.validation_set = self.data.validation_set[:validate]
        self.spacing = spacing

    def network(self, settings: Mapping[str, Any]) -> CCNN:
        """A fresh network for these samples."""
        assert self.data.in_channels is not None, "the data are open"
        return build_network(self.data.in_channels, len(self.data.classes), DIM, **settings)

    def fits(self, other: Kind) -> bool:
        """Whether a network for these samples can take the other's."""
        return (self.data.in_channels, self.data.classes) == (other.data.in_channels, other.data.classes)

    def batches(self, start: int) -> Iterator[Any]:
        """Yields training batches without end, starting at ``start``."""
        loader = self.data.train_dataloader()
        for epoch in count(start // len(loader)):
            loader.sampler.set_epoch(epoch)
            yield from islice(loader, start % len(loader), None)
            start = 0

    def logits(self, network: CCNN, batch: Any) -> tuple[Tensor, Tensor]:
        """Returns logits and labels of a batch."""
        device = network.head.linear.weight.device
        if isinstance(batch, Data):
            batch = batch.to(device)
            return network(batch), batch.y
        grid, step = embed_grid(batch[0].to(device), DIM, self.spacing)
        return network(grid, spacing=step), batch[1].to(device)

    @torch.no_grad()
    def accuracy(self, network: CCNN) -> float:
        """Accuracy on validation samples, in percent."""
        network.eval()
        pairs = [self.logits(network, batch) for batch in self.data.val_dataloader()]
        return 100 * torch.cat([logits.argmax(dim=1) == y for logits, y in pairs]).float().mean().item()


def fit(
    folder: Path,
    kinds: Mapping[str, Mapping[str, Any]],
    network: Mapping[str, Any],
    optim: Mapping[str, Any],
    seed: int,
    rounds: int,
    steps: int,
    own: Sequence[str] | None = None,
    also: Mapping[str, Mapping[str, Any]] | None = None,
) -> Numbers:
    """Trains on one batch of every kind per step; the loss is the sum over kinds.

    Each round ends with an evaluation and a checkpoint, from which an interrupted training continues.

    Args:
        folder: Folder of the checkpoint.
        kinds: Arguments of :class:`Kind` by name.
        network: Arguments of :func:`~ccnn_geo.nn.build.build_network`.
        optim: ``lr``, ``weight_decay``, ``warmup`` (share of all steps), ``label_smoothing``, ``clip``.
        seed: Seed of weights, order and augmentation.
        rounds: Number of evaluations.
        steps: Optimiser steps of a round.
        own: Modules that each kind has for itself in a shared trunk; None for one network for all of them.
        also: Kinds that are only tested, by all networks that can take them.

    Returns:
        Validation accuracy in percent by kind; ``curves``: the same after each round; ``training``: the accuracy
        within each round; ``across``: last accuracies by ``network, data``; ``parameters``; ``seconds`` of the
        processor, up to each round's end.
    """
    found = {name: Kind(seed=seed, **settings) for name, settings in kinds.items()}
    networks = build(found, network, seed, own)
    network_of = {name: _network(networks[name]) for name in found}
    optimizer = torch.optim.AdamW(networks.parameters(), lr=optim["lr"], weight_decay=optim["weight_decay"])
    result: Numbers = {
        "curves": {name: [] for name in found},
        "training": {name: [] for name in found},
        "parameters": sum(p.numel() for p in networks.parameters()),
        "seconds": [],
    }
    begun, target = 0, folder / "last.pt"
    if target.exists():
        stored = torch.load(target, weights_only=True)
        networks.load_state_dict(stored["networks"])
        optimizer.load_state_dict(stored["optimizer"])
        begun, result = stored["rounds"], stored["result"]
    streams = {name: kind.batches(begun * steps) for name, kind in found.items()}
    before = result["seconds"][-1] if result["seconds"] else 0.0
    start, total = time.process_time(), rounds * steps
    for index in range(begun, rounds):
        hits: dict[str, list[float]] = {name: [] for name in found}
        for step in range(index * steps, (index + 1) * steps):
            networks.train()
            rate = optim["lr"] * warmup_cosine(step, round(optim["warmup"] * total), total)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            # a new iterator of a loader draws a random number, which must not affect dropout
            batches = {name: next(stream) for name, stream in streams.items()}
            with local_seed(mix_seed(seed, step, "dropout")):
                for name, kind in found.items():
                    logits, y = kind.logits(network_of[name], batches[name])
                    F.cross_entropy(logits, y, label_smoothing=optim["label_smoothing"]).backward()
                    hits[name].append((logits.argmax(dim=1) == y).float().mean().item())
            nn.utils.clip_grad_norm_(networks.parameters(), optim["clip"])
            optimizer.step()
        for name, kind in found.items():
            result["curves"][name].append(kind.accuracy(network_of[name]))
            result["training"][name].append(100 * sum(hits[name]) / steps)
        result |= {name: curve[-1] for name, curve in result["curves"].items()}
        result["seconds"].append(before + time.process_time() - start)
        state = {"networks": networks.state_dict(), "optimizer": optimizer.state_dict()}
        write_atomic(target, partial(torch.save, {**state, "rounds": index + 1, "result": result}))
    tested = {**found, **{name: Kind(seed=seed, **settings) for name, settings in (also or {}).items()}}
    result["across"] = {
        f"{a}, {b}": tested[b].accuracy(network_of[a])
        for a in found
        for b in tested
        if found[a].fits(tested[b])
    }
    return result


def build(
    kinds: Mapping[str, Kind], settings: Mapping[str, Any], seed: int, own: Sequence[str] | None
) -> JointCCNN | nn.ModuleDict:
    """Networks by kind: one trunk with ``own`` modules per kind, or, with None, the same network for all."""
    networks: dict[str, CCNN] = {}
    for name, kind in kinds.items():
        with local_seed(mix_seed(seed, "weights")):
            networks[name] = kind.network(settings)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if own is not None:
        return JointCCNN(networks, own).to(device)
    first = next(iter(networks.values()))
    return nn.ModuleDict(dict.fromkeys(networks, first)).to(device)


def _network(module: nn.Module) -> CCNN:
    assert isinstance(module, CCNN)
    return module
