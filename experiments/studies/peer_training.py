"""Trainings of a CCNN and of its peers, selected by name: same data, order, loss, schedule and loop."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import torch

from ccnn_geo.cli.quiet import quiet
from ccnn_geo.experiments.baselines.dgcnn import DGCNN
from ccnn_geo.experiments.baselines.dgcnn_parts import DGCNNParts
from ccnn_geo.experiments.baselines.perceiver import PointPerceiver
from ccnn_geo.experiments.baselines.pointmlp import PointMLP
from ccnn_geo.experiments.baselines.pointnet import PointNet
from ccnn_geo.experiments.baselines.pointnet2 import PointNet2
from ccnn_geo.experiments.baselines.pointnet2_parts import PointNet2Parts
from ccnn_geo.experiments.baselines.pointnext import PointNeXt
from ccnn_geo.experiments.baselines.s4_ccnn import parameter_groups, with_s4
from ccnn_geo.experiments.engine.reproduction import Numbers
from ccnn_geo.training.callbacks import MetricsFile, StepSeed, WindowWidths, read_metrics
from ccnn_geo.training.checkpoints import LastCheckpoint
from ccnn_geo.training.data.base import EpochDataModule
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.lightning import Callback, LightningModule, Trainer
from ccnn_geo.training.module import Classifier
from ccnn_geo.training.seeds import local_seed, mix_seed
from ccnn_geo.training.statistics import NormStatistics
from ccnn_geo.training.trainer import averaging, make_trainer

Result = TypeVar("Result")
PEERS = {
    "pointnet": PointNet,
    "pointnet2": PointNet2,
    "dgcnn": DGCNN,
    "pointmlp": PointMLP,
    "pointnext": PointNeXt,
    "perceiver": PointPerceiver,
}
"""Networks on point clouds by their names in ``model.peer`` of a configuration."""
PART_PEERS = {"pointnet2_parts": PointNet2Parts, "dgcnn_parts": DGCNNParts}
"""Networks with a class per point."""


class S4Classifier(Classifier):
    """A classifier with S4 in place of the network's convolutions, trained by the rule of S4's authors."""

    def _build(self) -> None:
        super()._build()
        with local_seed(mix_seed(self.hparams.seed, "s4")):
            with_s4(self.network)

    def optimizer_groups(self) -> list[dict[str, Any]]:
        return parameter_groups(self.network, self.hparams.lr, self.hparams.weight_decay)


class PeerClassifier(Classifier):
    """A classifier with a network of :data:`PEERS`: ``network`` has its name as ``peer``, and its arguments."""

    def make_network(self, outputs: int) -> torch.nn.Module:
        arguments = dict(self.hparams.network)
        return {**PEERS, **PART_PEERS}[arguments.pop("peer")](self.hparams.in_channels, outputs, **arguments)


CLASSIFIERS = {"ccnn": Classifier, "s4": S4Classifier, "peer": PeerClassifier}


class EpochClock(Callback):
    """Records seconds at the end of each epoch in ``seconds``; interruptions do not count.

    On a CPU they are processor seconds of all threads together, which other programs do not disturb.

    Args:
        validation: Whether the time of validation counts.
    """

    def __init__(self, validation: bool = True) -> None:
        self.validation = validation
        self.seconds: list[float] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._now = time.process_time if pl_module.device.type == "cpu" else time.monotonic
        self._before = (self.seconds[-1] if self.seconds else 0.0) - self._now()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.validation:
            self._before += self._now()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.validation:
            self._before -= self._now()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds.append(self._before + self._now())

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": list(self.seconds)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = list(state_dict["seconds"])


def make_model(config: Mapping[str, Any], classifier: str) -> tuple[EpochDataModule, Classifier]:
    """Makes the data and the model of a configuration, see :func:`train`."""
    data = make_data(config["data"])
    data.run_seed = config["seed"]
    model = CLASSIFIERS[classifier](
        config["model"], seed=config["seed"], data=config["data"], **config["optim"]
    )
    return data, model


def fit(
    folder: Path,
    config: Mapping[str, Any],
    classifier: str,
    clock: EpochClock,
    callbacks: Sequence[Callback] = (),
) -> tuple[Trainer, EpochDataModule, Classifier]:
    """Trains in this process, or continues from a folder; arguments as for :func:`train`."""
    quiet()
    data, model = make_model(config, classifier)
    last = folder / "last.ckpt"
    callbacks = [
        StepSeed(config["seed"]),
        *([] if classifier == "peer" else [WindowWidths()]),
        *callbacks,
        MetricsFile(folder / "metrics.csv"),
        clock,
        *averaging(config["optim"].get("ema", 0.0)),
        NormStatistics(),
        LastCheckpoint(folder),
    ]
    trainer = make_trainer(config["trainer"], folder, callbacks, logger=False, progress=False)
    trainer.fit(model, datamodule=data, ckpt_path=last if last.exists() else None, weights_only=True)
    return trainer, data, model


def train(folder: Path, config: Mapping[str, Any], classifier: str) -> Numbers:
    """Trains in this process, or continues from a folder, and finally evaluates on the test set.

    Args:
        folder: Gets a checkpoint and ``metrics.csv`` after each epoch.
        config: ``seed``, ``model``, ``optim``, ``data`` and ``trainer`` as for ``ccnn-geo train``.
        classifier: A key of :data:`CLASSIFIERS`.

    Returns:
        ``accuracy`` of the last epoch on the test set in percent; ``curve`` and ``training_curve``, accuracies after
        each epoch on validation and training data; ``seconds`` up to each epoch's end; ``windows``, the mean width in
        each convolution, for kernels with a window; ``parameters``.

    Raises:
        FileNotFoundError: If there is no data.
        ValueError: If an argument is out of range.
    """
    clock = EpochClock()
    trainer, data, model = fit(folder, config, classifier, clock)
    (scores,) = trainer.test(model, datamodule=data, verbose=False)
    rows = read_metrics(folder / "metrics.csv")
    return {
        "accuracy": 100 * scores["test_acc"],
        "curve": [100 * float(row["val_acc"]) for row in rows],
        "training_curve": [100 * float(row["train_acc"]) for row in rows],
        "seconds": clock.seconds,
        "windows": [float(value) for key, value in rows[-1].items() if key.startswith("window_")],
        "parameters": sum(p.numel() for p in model.network.parameters()),
    }


def train_apart(folder: Path, config: Mapping[str, Any], classifier: str) -> Numbers:
    """Runs :func:`train` in a separate process."""
    return apart(train, folder, config, classifier)


def apart(function: Callable[..., Result], *arguments: Any) -> Result:
    """Calls a function in a separate process with this one's threads, so that trainings share no random state."""
    with ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(torch.get_num_threads(),),
    ) as pool:
        return pool.submit(function, *arguments).result()
