"""Updates the running statistics of norms to fit the weights, wherever a training evaluates or stores them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from ccnn_geo._base.pyg import Data
from ccnn_geo.nn.norm.statistics import fresh_statistics, tracking_norms
from ccnn_geo.training.lightning import Callback, LightningModule, Trainer, TrainerFn, WeightAveraging

SAMPLES, BATCHES = 256, 16
"""Number of training samples to measure statistics on, and the most batches that may hold them."""


class NormStatistics(Callback):
    """Measures the norms' running statistics with the current weights, before a validation and a checkpoint.

    See :func:`~ccnn_geo.nn.norm.statistics.fresh_statistics`. The samples are the last ones trained in this epoch,
    kept unchanged on the device: the fewest batches with 256 samples over all processes, at most 16. So nothing is
    loaded again and no random number is drawn, and a resumed run has the same statistics as an unbroken one. With
    averaged weights (``optim.ema``) the statistics fit the average. Place this callback after the averaging, and before
    the callbacks that save checkpoints.

    Example:
        >>> from pytorch_lightning import Trainer
        >>> from pytorch_lightning.callbacks import EMAWeightAveraging
        >>> callbacks = [EMAWeightAveraging(decay=0.99), NormStatistics()]
        >>> trainer = Trainer(max_epochs=10, logger=False, callbacks=callbacks)
        >>> [type(callback).__name__ for callback in trainer.callbacks[:2]]
        ['EMAWeightAveraging', 'NormStatistics']
        >>> trainer.fit(model, datamodule=data)  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._batches: deque[Any] = deque()
        self._norms: list[_BatchNorm] = []
        self._moved = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._batches.clear()  # a run that resumes here has none either

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._batches.append(batch)
        sizes = [_size(kept) * trainer.world_size for kept in self._batches]
        while len(sizes) > BATCHES or sum(sizes[1:]) >= SAMPLES:
            self._batches.popleft()
            sizes = sizes[1:]
        if not self._moved:
            self._norms, self._moved = tracking_norms(pl_module), True

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            self._measure(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._measure_stored(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt) and trainer.training and trainer.world_size == 1:
            self._measure_stored(trainer, pl_module)

    def _measure_stored(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures the statistics if no validation followed the last step."""
        if self._moved:
            with _averaged(trainer, pl_module):
                self._measure(trainer, pl_module)

    def _measure(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._moved:
            return
        with fresh_statistics(pl_module, self._norms), trainer.precision_plugin.forward_context():
            for batch in self._batches:
                pl_module(batch)
        self._moved = False


@contextmanager
def _averaged(trainer: Trainer, pl_module: LightningModule) -> Iterator[None]:
    """Replaces the weights by their average, as a validation does."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    averages = [callback for callback in callbacks if isinstance(callback, WeightAveraging)]
    for callback in averages:
        callback.on_validation_epoch_start(trainer, pl_module)
    yield
    for callback in averages:
        callback.on_validation_epoch_end(trainer, pl_module)


def _size(batch: Data | Sequence[Tensor]) -> int:
    """Number of samples in a batch."""
    return getattr(batch, "num_graphs", 1) if isinstance(batch, Data) else len(batch[0])
