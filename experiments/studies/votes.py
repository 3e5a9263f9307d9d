"""A training with predictions on the validation samples: once, and by votes over augmented copies of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ccnn_geo._base.pyg import Batch, Data
from ccnn_geo.datasets import ShapeDataset
from ccnn_geo.experiments.engine.reproduction import Numbers
from ccnn_geo.experiments.studies.budget_training import train_within
from ccnn_geo.experiments.studies.peer_training import CLASSIFIERS
from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.data.shapes import ShapesDataModule
from ccnn_geo.training.seeds import local_seed

VOTES = 8
ANSWERS = "answers.npz"


def train_and_vote(folder: Path, config: Mapping[str, Any], classifier: str, epochs: int) -> Numbers:
    """Trains for some epochs, and writes the probabilities of all validation samples to ``answers.npz``.

    The file has ``once`` and ``voted [n, K]`` and the correct classes, ``label [n]``. Votes are the mean of the
    probabilities of :data:`VOTES` copies of a sample, each augmented like training samples.

    Args:
        folder: As for :func:`~ccnn_geo.experiments.studies.budget_training.train_within`.
        config: As there; for a data set of shapes.
        classifier: As there.
        epochs: Number of epochs.

    Returns:
        The result of ``train_within``.
    """
    found = train_within(folder, config, classifier, epochs, None)
    data = make_data(config["data"])
    assert isinstance(data, ShapesDataModule), "the study trains on shapes"
    data.setup("fit")
    changed = data.train_set.transform
    assert changed is not None, "shapes are augmented"
    once, voted, label = ask_and_vote(
        trained_network(folder, classifier), data.validation_set, data.val_dataloader, changed, config["seed"]
    )
    answers: dict[str, Any] = {"once": once.numpy(), "voted": voted.numpy(), "label": label.numpy()}
    write_atomic(folder / ANSWERS, partial(np.savez, **answers))
    return found


def trained_network(folder: Path, classifier: str) -> nn.Module:
    """Loads the network of a finished training from a folder, in evaluation mode."""
    stored = torch.load(folder / "last.ckpt", map_location="cpu", weights_only=True)
    model = CLASSIFIERS[classifier](**stored["hyper_parameters"])
    model.load_state_dict(stored["state_dict"])
    network: nn.Module = model.network.eval()
    return network


def ask_and_vote(
    network: nn.Module,
    samples: ShapeDataset,
    loader: Callable[[], Iterable[Batch]],
    changed: Callable[[Data], Data],
    seed: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities ``[n, K]`` of samples as they are, and their mean over augmented copies; their classes ``[n]``.

    Args:
        network: Network in evaluation mode.
        samples: The samples; afterwards their transform is the augmentation.
        loader: Gives their batches.
        changed: The transform of training.
        seed: Seed of the augmentation.
    """
    once, label = ask(network, loader())
    samples.transform = changed
    with local_seed(seed):
        voted = torch.stack([ask(network, loader())[0] for _ in range(VOTES)]).mean(0)
    return once, voted, label


@torch.no_grad()
def ask(network: nn.Module, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Probabilities ``[n, K]`` of all samples, and their classes ``[n]``."""
    found = [(network(batch).softmax(1), batch.y) for batch in batches]
    probabilities, labels = zip(*found, strict=True)
    return torch.cat(probabilities), torch.cat(labels)
