"""A CCNN and its task as a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.processes import is_distributed, mean_over_processes
from ccnn_geo._base.pyg import Data
from ccnn_geo.nn.build import build_network
from ccnn_geo.nn.conv.kernel_norms import collect_kernel_norms, l2_penalty
from ccnn_geo.nn.nyquist import nyquist_penalty, sample_spacing
from ccnn_geo.training.lightning import LightningModule, OptimizerLRSchedulerConfig
from ccnn_geo.training.loss import mean_loss, share_of_labels
from ccnn_geo.training.optim import decay_groups
from ccnn_geo.training.optim_arguments import BALANCED, check_optim
from ccnn_geo.training.rates import take_rates
from ccnn_geo.training.same_data import described, inputs_of, refuse_other_data
from ccnn_geo.training.schedule import Schedule
from ccnn_geo.training.seeds import local_seed, mix_seed
from ccnn_geo.training.start import HEADS, freeze_trunk, rest_trunk, take_weights, with_trunk_rate
from ccnn_geo.training.tasks.base import Task
from ccnn_geo.training.tasks.choose import make_task
from ccnn_geo.training.tasks.regression import composition_of
from ccnn_geo.training.tasks.scene import Scene, telling_scene


class Learner(LightningModule):
    r"""Trains a CCNN for a task, with AdamW, linear warm-up and cosine decay per step.

    .. math::
        \mathcal L = \mathcal L_{task}(y, \hat y) + \lambda \, \tfrac12 \sum_l \lVert k_l \rVert^2 + \mu\,\mathcal N

    The task is a class per sample (classification), a class per point, cell or time step (segmentation), or numbers per
    sample or point (regression). ``Classifier`` is an alias of this class.

    Args:
        network: Arguments of :func:`~ccnn_geo.nn.build.build_network`, plain values.
        classes: Names of the classes; by default those of the trainer's data module.
        in_channels: Input channels; by default those of the data module.
        dim: Dimension of the positions; by default that of the data module, if it also gives the channels.
        readout: ``global`` or ``node``; default as for ``dim``.
        lr: Highest learning rate.
        weight_decay: Decoupled weight decay of AdamW.
        decay: Parameters that decay: ``all``, or only the ``weights`` of linear layers, see
            :func:`~ccnn_geo.training.optim.decay_groups`.
        warmup_epochs: Epochs of linear warm-up, limited by ``warmup_share``.
        warmup_share: Largest share of the training for the warm-up; a run from before this limit resumes without it.
        label_smoothing: Label smoothing of the cross-entropy in training.
        trunk_lr: Factor on the learning rate of everything below the head; 0 trains the head alone.
        class_weights: Weights of the classes in the cross-entropy in training: a list in the order of the classes, or
            ``balanced`` for N / (K n_c), so that rare classes count as much as common ones; null for none.
        logit_adjustment: Factor on the logarithm of each class's share of the labels, which is added to its logit in
            training only. With 1 the network predicts as if all classes were equally common, with 0 as in training.
        loss: For regression ``mse`` (null), ``l1`` or ``huber`` of standardised targets; for classes
            ``cross_entropy`` (null).
        kernel_l2: :math:`\lambda` of the penalty on generated kernels (Eq. 3).
        nyquist: :math:`\mu` of the penalty on frequencies above the band limit of the samples, see
            :func:`~ccnn_geo.nn.nyquist.nyquist_penalty`.
        nyquist_spacing: Spacing of the samples for this penalty; by default that of the first training batch.
        ema: Decay per step of a moving average of the weights, which validation and checkpoints use; 0 for none.
        binary: Whether two classes have a single output, the log-odds of the second, as in the paper's binary tasks.
        seed: Seed of the initialisation.
        data: Settings of the data, stored with the weights.
        pipeline: Preparation of a sample from a file, as settings of a
            :class:`~ccnn_geo.transforms.pipelines.base.Pipeline`, stored with the weights for prediction; by default
            that of the data module.
        task: ``classification``, ``segmentation`` or ``regression``; by default the task that the data have truths for.
        targets: Targets of a regression, the plain values of :class:`~ccnn_geo.nn.Targets`; default as for
            ``classes``.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> from pytorch_lightning import Trainer
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.loader import DataLoader
        >>> model = Learner({"preset": "ccnn_4_16", "num_neighbors": 16}, classes=["cup", "mug"], in_channels=6)
        >>> clouds = [Data(x=torch.randn(40, 6), pos=torch.rand(40, 3), y=torch.tensor([i % 2])) for i in range(8)]
        >>> model(next(iter(DataLoader(clouds, batch_size=4)))).shape
        torch.Size([4, 2])
        >>> Trainer(max_epochs=10).fit(model, DataLoader(clouds, batch_size=4))  # doctest: +SKIP

    Source: appendix C.2; Eq. 3.
    """

    hparams: Any  # Lightning's property: the values of save_hyperparameters, as attributes
    network: Any  # the result of make_network, None before; subclasses may have other networks
    schedule: Schedule  # of the training, from its start
    start: str | None = None  # a trained network that gives the first weights
    task: Task  # made with the network
    scene: Scene | None = None  # of the last evaluation, for predictions per point

    def __init__(
        self,
        network: Mapping[str, Any],
        classes: Sequence[str] | None = None,
        in_channels: int | None = None,
        dim: int = 3,
        readout: str = "global",
        lr: float = 0.02,
        weight_decay: float = 0.0,
        warmup_epochs: float = 10.0,
        warmup_share: float = 0.1,
        label_smoothing: float = 0.0,
        kernel_l2: float = 0.0,
        nyquist: float = 0.0,
        nyquist_spacing: float | list[float] | None = None,
        ema: float = 0.0,
        decay: str = "all",
        binary: bool = False,
        seed: int = 0,
        data: Mapping[str, Any] | None = None,
        pipeline: Mapping[str, Any] | None = None,
        trunk_lr: float = 1.0,
        class_weights: str | list[float] | None = None,
        loss: str | None = None,
        task: str | None = None,
        targets: Mapping[str, Any] | None = None,
        logit_adjustment: float = 0.0,
    ) -> None:
        super().__init__()
        check_optim(
            lr,
            weight_decay,
            decay,
            warmup_epochs,
            warmup_share,
            label_smoothing,
            kernel_l2,
            nyquist,
            ema,
            class_weights,
            trunk_lr,
            logit_adjustment,
        )
        # plain values only: checkpoints are read with weights_only=True
        self.save_hyperparameters(
            {
                "network": dict(network),
                "classes": None if classes is None else list(classes),
                "in_channels": in_channels,
                "dim": dim,
                "readout": readout,
                "lr": lr,
                "weight_decay": weight_decay,
                "warmup_epochs": warmup_epochs,
                "warmup_share": warmup_share,
                "label_smoothing": label_smoothing,
                "kernel_l2": kernel_l2,
                "nyquist": nyquist,
                "nyquist_spacing": nyquist_spacing,
                "ema": ema,
                "decay": decay,
                "binary": binary,
                "seed": seed,
                "data": dict(data or {}),
                "pipeline": None if pipeline is None else dict(pipeline),
                "trunk_lr": trunk_lr,
                "class_weights": class_weights,
                "loss": loss,
                "task": task,
                "targets": None if targets is None else dict(targets),
                "logit_adjustment": logit_adjustment,
            },
            logger=False,
        )
        self.network = None
        if (classes is not None or targets is not None) and in_channels is not None:
            self._build()

    def configure_model(self) -> None:
        """Builds the network once the data module knows its classes or targets."""
        if self.network is None:
            source = self._source()
            pipeline = None if source.pipeline is None else source.pipeline.settings()
            self.hparams.update(described(source), **inputs_of(source), pipeline=pipeline)
            self._build()
            if self.start is not None:
                network: Any = self.network
                source.notes.append(take_weights(network, self.hparams.classes, self.start))

    def on_fit_start(self) -> None:
        """Measures the training set as requested: labels of each class, the composition of samples."""
        given = self.hparams
        if given.class_weights == BALANCED or given.logit_adjustment > 0:
            self.task = make_task(given, given.class_weights, self._source().class_shares())
        composition = getattr(self.network, "composition", None)
        if composition is not None and not composition.is_known:
            composition.fit(*composition_of(self._source().train_set.samples, self.task))

    def _source(self) -> Any:
        source = getattr(self.trainer, "datamodule", None)
        if source is None:
            raise ValueError(
                "Learner: expected a data module of this package, or classes (or targets) and in_channels without "
                "class_weights or logit_adjustment that need it"
            )
        return source

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses weights for other classes, even as many, or for other samples; applies a changed learning rate."""
        stored = checkpoint["hyper_parameters"]
        refuse_other_data(stored, self.hparams.classes, self.hparams, "training", self.hparams.targets)
        if stored.get("targets"):  # the weights have learned this scale
            self.hparams.targets = stored["targets"]
            self.task = make_task(self.hparams)
            self.evaluation = self.task.evaluation()
        if "warmup_share" not in stored:
            self.hparams.warmup_share = 1.0
        if self.hparams.nyquist_spacing is None:
            self.hparams.nyquist_spacing = stored.get("nyquist_spacing")
        before = {key: stored.get(key, self.hparams[key]) for key in ("lr", "weight_decay")}
        if any(self.hparams[key] != value for key, value in before.items()):
            take_rates(checkpoint, self.optimizer_groups(), self.hparams.lr)

    def _build(self) -> None:
        weights = self.hparams.class_weights
        self.task = make_task(self.hparams, None if weights == BALANCED else weights)
        self.hparams.task = self.task.name
        with local_seed(mix_seed(self.hparams.seed, "weights")):
            self.network = self.make_network(self.task.outputs)
        if self.hparams.trunk_lr == 0:
            freeze_trunk(self.network)
        self.training_number = self.task.training_metric()
        self.evaluation = self.task.evaluation()

    def on_train_start(self) -> None:
        """Keeps frozen layers as they are; Lightning would otherwise warn about them."""
        if self.hparams.trunk_lr == 0:
            rest_trunk(self.network)

    def make_network(self, outputs: int) -> torch.nn.Module:
        """The network of the hyperparameters, with ``outputs`` outputs."""
        given = self.hparams
        return build_network(given.in_channels, outputs, given.dim, given.readout, **given.network)

    def forward(self, batch: Data | Sequence[Tensor]) -> Tensor:
        """Logits, or standardised targets, of a batch: ``[B, K]``, or one row per point ``[N, K]``."""
        return self.task.answers(self.network(_split(batch)[0]))

    def training_step(self, batch: Data | Sequence[Tensor], batch_idx: int) -> Tensor | None:
        penalty: Tensor | float = 0.0
        if self.hparams.kernel_l2 > 0:
            with collect_kernel_norms() as norms:
                answers = self(batch)
            penalty = self.hparams.kernel_l2 * l2_penalty(norms)
        else:
            answers = self(batch)
        if self.hparams.nyquist > 0:
            penalty = penalty + self.hparams.nyquist * self._nyquist(batch)
        answers, y = self.task.rows(answers, self._truths(batch))
        size = y.size(0)
        if size == 0 and not is_distributed():
            return None  # Lightning skips the batch; among several processes it must join their step
        total, weight = self.task.loss(answers, y)
        own = mean_loss(total, weight)
        loss = share_of_labels(weight, answers.device) * own + penalty
        if size > 0:
            self.training_number.update(answers, y)
        shown = own.detach() + penalty  # weighted by labels in the means over an epoch and processes
        self.log("loss", shown, prog_bar=True, logger=False, batch_size=size)
        self.log("train_loss", shown, on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
        name = f"train_{self.task.training_number}"
        self.log(name, self.training_number, on_step=False, on_epoch=True, prog_bar=True, batch_size=size)
        return loss

    def _truths(self, batch: Data | Sequence[Tensor]) -> Tensor:
        """The truths of a batch, repeated for each member of the network: in training all members predict."""
        y, times = _split(batch)[1], getattr(self.network, "num_answers", 1)
        return y if times == 1 else y.repeat(times, *[1] * (y.dim() - 1))

    def _nyquist(self, batch: Data | Sequence[Tensor]) -> Tensor:
        if self.hparams.nyquist_spacing is None:  # from the first batch, then stored in checkpoints
            x = _split(batch)[0]
            found = sample_spacing(None, x.pos, x.batch) if isinstance(x, Data) else sample_spacing(x)
            self.hparams.nyquist_spacing = mean_over_processes(found, self.device).tolist()
        return nyquist_penalty([conv.kernel for conv in self.network.convs], self.hparams.nyquist_spacing)

    def validation_step(self, batch: Data | Sequence[Tensor], batch_idx: int) -> None:
        self._evaluate(batch, batch_idx)

    def on_test_start(self) -> None:
        """Refuses data with other classes or features than those of the training."""
        source = getattr(self.trainer, "datamodule", None)
        if source is not None:
            now = described(source)
            refuse_other_data(self.hparams, now["classes"], inputs_of(source), "test", now["targets"])

    def test_step(self, batch: Data | Sequence[Tensor], batch_idx: int) -> None:
        self._evaluate(batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        self._summarise("val")

    def on_test_epoch_end(self) -> None:
        self._summarise("test")

    def _evaluate(self, batch: Data | Sequence[Tensor], batch_idx: int) -> None:
        y = _split(batch)[1]
        answers = self.task.evaluated(self(batch), y)
        self.evaluation(*self.task.rows(answers, y))
        if batch_idx == 0 and self.hparams.readout == "node":
            self.scene = telling_scene(batch, self.task.shown(answers))

    def _summarise(self, name: str) -> None:
        self.last_counted, found = self.evaluation.take()
        for key, value in found.items():
            self.log(f"{name}_{key}", value, prog_bar=key == self.task.best)

    def optimizer_groups(self) -> list[dict[str, Any]]:
        """The optimizer's groups of parameters; groups without a learning rate get that of the hyperparameters."""
        groups = decay_groups(self, self.hparams.weight_decay, self.hparams.decay)
        if self.hparams.trunk_lr == 1:
            return groups
        head = {
            id(parameter) for name, parameter in self.network.named_parameters() if name.startswith(HEADS)
        }
        return with_trunk_rate(groups, head, self.hparams.lr, self.hparams.trunk_lr)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = torch.optim.AdamW(self.optimizer_groups(), lr=self.hparams.lr)
        total = self.trainer.estimated_stepping_batches
        if total == float("inf"):
            raise ValueError(
                f"trainer: expected max_epochs or max_steps to end the training, got {self.trainer.max_epochs}"
            )
        least = self.trainer.min_steps or 0
        if least > total:
            raise ValueError(
                f"trainer.min_steps: expected at most the {total:.0f} steps of the run, got {least}"
            )
        given = self.hparams
        plan = Schedule.planned(int(total), self.steps_per_epoch(), given.warmup_epochs, given.warmup_share)
        self.schedule = plan
        # a function: checkpoints would store an object with its plan, and no run could be extended
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: plan(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def steps_per_epoch(self) -> int:
        """Steps of the optimizer per epoch."""
        if self.trainer.num_training_batches == float("inf"):  # not counted yet if only max_steps ends it
            self.trainer.fit_loop.setup_data()
        batches = int(self.trainer.num_training_batches)
        return max(1, -(-batches // self.trainer.accumulate_grad_batches))


Classifier = Learner
"""The old name, from before there were other tasks."""


def _split(batch: Data | Sequence[Tensor]) -> tuple[Data | Tensor, Tensor]:
    """The input of the network, and the truths, from a ``Data`` with ``y`` or a pair ``(grids, labels)``."""
    return (batch, batch.y) if isinstance(batch, Data) else (batch[0], batch[1])
