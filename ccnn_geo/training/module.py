"""A CCNN classifier as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.nn import functional as F
from torch_geometric.data import Data
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from ccnn_geo.regularization import collect_kernel_norms, l2_penalty
from ccnn_geo.training.metrics import accuracies
from ccnn_geo.training.network import build_network
from ccnn_geo.training.schedule import warmup_cosine
from ccnn_geo.training.seeds import local_seed, mix_seed


class Classifier(LightningModule):
    r"""Trains a CCNN with cross-entropy, AdamW, linear warm-up and cosine decay per step.

    .. math::
        \mathcal L = \mathrm{CE}(y, \hat y) + \lambda \, \tfrac12 \sum_l \lVert k_l \rVert^2

    Args:
        network: Arguments of :func:`~ccnn_geo.training.network.build_network`, plain values.
        classes: Names of the classes; by default those of the trainer's data module.
        in_channels: Input channels; by default those of the data module.
        lr: Highest learning rate.
        weight_decay: Decoupled weight decay of AdamW.
        warmup_epochs: Epochs of linear warm-up.
        label_smoothing: Of the cross-entropy in training.
        kernel_l2: :math:`\lambda` of the penalty on generated kernels (Eq. 3).
        seed: Of the initialisation.
        data: Settings of the data, stored with the weights for prediction.

    Raises:
        ValueError: If an argument is out of range.

    Source: appendix C.2; Eq. 3.
    """

    def __init__(
        self,
        network: Mapping[str, Any],
        classes: Sequence[str] | None = None,
        in_channels: int | None = None,
        lr: float = 0.02,
        weight_decay: float = 0.0,
        warmup_epochs: float = 10.0,
        label_smoothing: float = 0.0,
        kernel_l2: float = 0.0,
        seed: int = 0,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if not lr > 0 or weight_decay < 0 or warmup_epochs < 0 or kernel_l2 < 0:
            raise ValueError(
                "optim: expected lr > 0 and weight_decay, warmup_epochs, kernel_l2 >= 0, "
                f"got {lr}, {weight_decay}, {warmup_epochs}, {kernel_l2}"
            )
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"optim.label_smoothing: expected [0, 1), got {label_smoothing}")
        # plain values only: checkpoints are read with weights_only=True
        self.save_hyperparameters(
            {
                "network": dict(network),
                "classes": None if classes is None else list(classes),
                "in_channels": in_channels,
                "lr": lr,
                "weight_decay": weight_decay,
                "warmup_epochs": warmup_epochs,
                "label_smoothing": label_smoothing,
                "kernel_l2": kernel_l2,
                "seed": seed,
                "data": dict(data or {}),
            },
            logger=False,
        )
        self.network: torch.nn.Module | None = None
        if classes is not None and in_channels is not None:
            self._build()

    def configure_model(self) -> None:
        """Builds the network once the data module knows its classes."""
        if self.network is None:
            source = self.trainer.datamodule
            if source is None:
                raise ValueError("Classifier: expected classes and in_channels, or a ShapesDataModule")
            self.hparams.update(classes=list(source.classes), in_channels=source.pipeline.in_channels)
            self._build()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses weights for other classes, as many as they may be."""
        stored = checkpoint["hyper_parameters"]["classes"]
        if list(stored) != list(self.hparams.classes):
            raise ValueError(
                f"data: the checkpoint knows the classes {', '.join(stored)}, "
                f"the training set has {', '.join(self.hparams.classes)}"
            )

    def _build(self) -> None:
        num_classes = len(self.hparams.classes)
        with local_seed(mix_seed(self.hparams.seed, "weights")):
            self.network = build_network(self.hparams.in_channels, num_classes, **self.hparams.network)
        self.train_accuracy = MulticlassAccuracy(num_classes, average="micro")
        self.confusion = MulticlassConfusionMatrix(num_classes)
        self.mean_loss = MeanMetric()

    def forward(self, batch: Data) -> Tensor:
        """Logits ``[B, K]`` of a batch."""
        return self.network(batch)

    def training_step(self, batch: Data, batch_idx: int) -> Tensor:
        penalty: Tensor | float = 0.0
        if self.hparams.kernel_l2 > 0:
            with collect_kernel_norms() as norms:
                logits = self(batch)
            penalty = self.hparams.kernel_l2 * l2_penalty(norms)
        else:
            logits = self(batch)
        loss = F.cross_entropy(logits, batch.y, label_smoothing=self.hparams.label_smoothing) + penalty
        self.train_accuracy(logits, batch.y)
        size = batch.y.size(0)
        self.log("loss", loss, prog_bar=True, logger=False, batch_size=size)
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
        self.log(
            "train_acc", self.train_accuracy, on_step=False, on_epoch=True, prog_bar=True, batch_size=size
        )
        return loss

    def validation_step(self, batch: Data, batch_idx: int) -> None:
        self._evaluate(batch)

    def on_test_start(self) -> None:
        """Refuses data of other classes or features than the network was trained on."""
        source = self.trainer.datamodule
        if source is None:
            return
        if list(source.classes) != list(self.hparams.classes):
            raise ValueError(
                f"data: the checkpoint knows the classes {', '.join(self.hparams.classes)}, "
                f"the test set has {', '.join(source.classes)}"
            )
        if source.pipeline.in_channels != self.hparams.in_channels:
            raise ValueError(
                f"data.features: the checkpoint takes {self.hparams.in_channels} columns, "
                f"{source.pipeline.features} give {source.pipeline.in_channels}"
            )

    def test_step(self, batch: Data, batch_idx: int) -> None:
        self._evaluate(batch)

    def on_validation_epoch_end(self) -> None:
        self._summarise("val")

    def on_test_epoch_end(self) -> None:
        self._summarise("test")

    def _evaluate(self, batch: Data) -> None:
        logits = self(batch)
        self.confusion.update(logits, batch.y)
        self.mean_loss.update(F.cross_entropy(logits.float(), batch.y), weight=batch.y.size(0))

    def _summarise(self, name: str) -> None:
        # compute() gathers from all processes, so each of them logs the same numbers
        self.last_confusion = self.confusion.compute().cpu()
        overall, mean_class = accuracies(self.last_confusion)
        self.log(f"{name}_loss", self.mean_loss.compute())
        self.log(f"{name}_acc", overall, prog_bar=True)
        self.log(f"{name}_mean_acc", mean_class)
        self.confusion.reset()
        self.mean_loss.reset()

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=self.hparams.lr, weight_decay=self.hparams.weight_decay
        )
        total = self.trainer.estimated_stepping_batches
        if total == float("inf"):
            raise ValueError(
                f"trainer: expected max_epochs or max_steps to end the training, got {self.trainer.max_epochs}"
            )
        total = int(total)
        warmup = min(total, round(self.hparams.warmup_epochs * self._steps_per_epoch()))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: warmup_cosine(step, warmup, total)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _steps_per_epoch(self) -> int:
        batches = int(self.trainer.num_training_batches)
        return max(1, -(-batches // self.trainer.accumulate_grad_batches))
