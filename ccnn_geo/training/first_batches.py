"""Reports the first facts about a training: its data, the fit of its kernels, and the expected time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch

from ccnn_geo.kernels.continuous import BAND_LIMITED, INDEPENDENT, LONGEST
from ccnn_geo.neighbors.spacing import estimate_spacing
from ccnn_geo.training.lightning import Callback, LightningModule, Trainer

SECONDS, BATCHES = 5.0, 20
"""Seconds, or batches, to measure before reporting the time; the first batch also prepares things and is excluded."""


class FirstBatches(Callback):
    """Reports the data at the start, then the fit of the kernels, and the expected time of an epoch and of all epochs.

    Args:
        say: Receives the lines, in the first process only.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._seen = 0
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = getattr(trainer, "datamodule", None)
        if trainer.is_global_zero and data is not None:
            self.say(data_line(data))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not trainer.is_global_zero or self._seen < 0:
            return
        self._seen += 1
        if self._seen == 1:
            self._since = time.monotonic()
            if trainer.global_step <= 1 and (line := fit_line(pl_module.network, batch)):
                self.say(line)
            return
        seconds, counted = time.monotonic() - self._since, self._seen - 1
        if seconds >= SECONDS or counted >= BATCHES or batch_idx + 1 == trainer.num_training_batches:
            epochs = 0 if trainer.max_epochs in (None, -1) else trainer.max_epochs - trainer.current_epoch
            self.say(time_line(seconds / counted, int(trainer.num_training_batches), epochs))
            self._seen = -1


def data_line(data: Any) -> str:
    """The numbers of training samples, validation samples and classes."""
    samples = getattr(data.train_set, "samples", data.train_set)
    y = getattr(samples, "y", None)
    line = f"data: {len(data.train_set)} training samples"
    if data.classes:  # of a regression there are none
        line += f", {len(data.classes)} classes"
    each = data.classes and getattr(data, "readout", "global") == "global"  # has a class
    if each and isinstance(y, torch.Tensor) and y.shape == (len(samples),):
        counts = torch.bincount(y.long(), minlength=len(data.classes))
        few, many = int(counts.min()), int(counts.max())
        line += f" of {few} each" if few == many else f" of {few} to {many}"
    return f"{line}; {len(data.validation_set)} validation samples"


def fit_line(network: Any, batch: Any) -> str:
    """Describes the fit of kernels without ``omega_0`` and ``window_init``; empty if both were given.

    Args:
        network: A network with ``convs``, after its first batch.
        batch: The first batch, of points or ``(grids, labels)``.
    """
    kernel = network.convs[0].kernel
    if not (kernel.config.fits_data and kernel.is_fit):
        return ""
    radius = float(kernel.fitted_radius.mean())
    stays = isinstance(batch, (tuple, list)) and batch[0].dim() < 5
    if isinstance(batch, (tuple, list)):
        spacing = 2 / max(1, max(batch[0].shape[2:]) - 1)
    else:
        spacing = float(estimate_spacing(batch.pos, batch.batch).nanmedian())
    if not 0 < spacing < math.inf:
        return "the spacing of the points in the first clouds is unknown: none has six different positions"
    omega_0 = min(INDEPENDENT / spacing, LONGEST / radius) if stays else BAND_LIMITED / spacing
    near = (
        "" if isinstance(batch, (tuple, list)) else f", {network.num_neighbors or 'all points as'} neighbours"
    )
    return (
        f"kernels are fitted to the first batch, as with model.omega_0 {omega_0:.3g}: samples {spacing:.3g} apart, "
        f"windows to {radius:.3g}{near}"
    )


def time_line(seconds: float, batches: int, epochs: int) -> str:
    """The expected time of a training.

    Args:
        seconds: Seconds per batch.
        batches: Batches per epoch.
        epochs: Remaining epochs; 0 if unknown.

    Example:
        >>> time_line(0.5, 40, 30)
        'an epoch takes about 20 s, 30 of them about 10 min, without validation'
    """
    epoch = seconds * batches
    together = f", {epochs} of them about {_duration(epoch * epochs)}" if epochs > 1 else ""
    return f"an epoch takes about {_duration(epoch)}{together}, without validation"


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
