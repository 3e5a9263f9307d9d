"""Callbacks around an epoch: seeds, the CSV file, a line of text."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ccnn_geo.training.files import write_text
from ccnn_geo.training.first_batches import FirstBatches
from ccnn_geo.training.lightning import Callback, LightningModule, Timer, Trainer, yaml
from ccnn_geo.training.metrics_file import read_metrics, to_csv
from ccnn_geo.training.seeds import mix_seed
from ccnn_geo.training.tasks.base import Task
from ccnn_geo.training.trainer import given_flags


class StepSeed(Callback):
    """Seeds torch from (seed, epoch, batch, process) before each step: dropout repeats after a resume.

    It seeds per step, because Lightning skips ``on_train_epoch_start`` in the first epoch after a resume.

    Args:
        seed: Seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        torch.manual_seed(mix_seed(self.seed, trainer.current_epoch, batch_idx, trainer.global_rank, "step"))


class WindowWidths(Callback):
    """Logs the mean window width of each convolution as ``window_0`` (the stem), ``window_1``, ..."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        network: Any = pl_module.network
        for i, conv in enumerate(network.convs):
            if conv.kernel.window is not None:
                # every process holds the same parameters
                pl_module.log(f"window_{i}", conv.kernel.window.width.detach().mean(), rank_zero_only=True)


class KernelDomains(Callback):
    """Shares the largest extent of clouds among the kernels of all processes.

    ``DistributedDataParallel`` broadcasts the buffers of the first process and would forget the clouds of the others.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        network: Any = pl_module.network
        domains = [conv.kernel.domain for conv in network.convs]
        if trainer.world_size > 1 and domains:
            largest = torch.cat(domains)
            torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
            for domain, found in zip(domains, largest.split([d.numel() for d in domains]), strict=True):
                domain.copy_(found)


class DataNotes(Callback):
    """Reports the findings of the data module about the data when they are opened.

    Args:
        tell: Receives the lines, one by one.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            for line in getattr(trainer.datamodule, "notes", ()):  # type: ignore[attr-defined]
                self.tell(line)


class MetricsFile(Callback):
    """Writes one row per epoch to a CSV file.

    The file is written before the epoch's checkpoint. A resumed run keeps the rows of the epochs that it does not
    repeat.

    Args:
        path: The file.
        report: Receives one line of text per epoch.
    """

    def __init__(self, path: Path, report: Callable[[str], None] | None = None) -> None:
        self.path, self.report = path, report
        self.rows: list[dict[str, str]] = []
        self._started = time.monotonic()
        self._validated = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.monotonic()
        self.rows = [row for row in read_metrics(self.path) if int(row["epoch"]) <= trainer.current_epoch]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        logged = {key: float(value) for key, value in trainer.callback_metrics.items()}
        task: Task = pl_module.task  # type: ignore[assignment]
        columns = ["train_loss", f"train_{task.training_number}", *(f"val_{key}" for key in task.columns)]
        keys = [k for k in columns if k in logged and (self._validated or not k.startswith("val_"))]
        keys += [k for k in logged if k.startswith("window_")]
        seconds = time.monotonic() - self._started
        row = {
            "epoch": str(trainer.current_epoch + 1),
            "step": str(trainer.global_step),
            "lr": repr(trainer.optimizers[0].param_groups[0]["lr"]),
            **{key: str(np.float32(logged[key])) for key in keys},
            "seconds": f"{seconds:.2f}",
        }
        self.rows.append(row)
        if trainer.is_global_zero:
            write_text(self.path, to_csv(self.rows))
            if self.report is not None:
                self.report(self._line(trainer, task, logged, seconds))
        self._started, self._validated = time.monotonic(), False

    def _line(self, trainer: Trainer, task: Task, logged: dict[str, float], seconds: float) -> str:
        last = "" if trainer.max_epochs in (None, -1) else f"/{trainer.max_epochs}"
        text = f"epoch {trainer.current_epoch + 1}{last}  loss {logged['train_loss']:.3f}"
        return f"{text}  {task.line(logged, self._validated)}  {seconds:.1f} s"


class PlanLine(FirstBatches):
    """Reports the schedule of the learning rate, and the samples that each epoch leaves out, when the training starts.

    Args:
        say: Receives the lines, in the first process only.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        if trainer.is_global_zero:
            plan: Any = pl_module.schedule
            rates = dict.fromkeys(trainer.lr_scheduler_configs[0].scheduler.base_lrs)
            line = f"{plan}; learning rate {', '.join(map(str, rates))}"
            timed = any(isinstance(callback, Timer) for callback in trainer.callbacks)  # type: ignore[attr-defined]
            self.say(line + ("; max_time may end it sooner" if timed else ""))
            if line := _left_out(trainer):
                self.say(line)


def _left_out(trainer: Trainer) -> str:
    """Reports how many training samples do not fill a last batch; nothing if a flag leaves out more."""
    loader: Any = trainer.train_dataloader
    rest = len(loader.sampler) % loader.batch_size if loader.drop_last else 0
    if rest == 0 or trainer.num_training_batches < len(loader):
        return ""
    left_out, found = rest * trainer.world_size, len(loader.sampler) * trainer.world_size
    return (
        f"each epoch leaves out {left_out} of {found} training samples, different ones each time; they do not fill a "
        f"batch of {loader.batch_size} (data.batch_size)"
    )


class ConfigFile(Callback):
    """Writes the configuration once the training starts, so that a failed start changes nothing.

    Args:
        path: The YAML file.
        settings: Plain values.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path, self.settings = path, settings

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            model: Any = pl_module  # a run from before the bound on the warm-up resumes without it
            optim = {**self.settings["optim"], "warmup_share": model.hparams.warmup_share}
            asked = {"optim": optim, "trainer": given_flags(self.settings["trainer"])}
            write_text(self.path, yaml.safe_dump({**self.settings, **asked}, sort_keys=False))
