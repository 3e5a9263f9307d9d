"""The base of all data modules: loaders of samples by (epoch, index)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch.utils.data import Sampler

from ccnn_geo._base.pyg import Data, DataLoader
from ccnn_geo.nn.targets import Targets
from ccnn_geo.training.data.epochs import EpochDataset, EpochSampler
from ccnn_geo.training.data.finite import FiniteSamples
from ccnn_geo.training.data.known_truths import point_labels
from ccnn_geo.training.data.loading import number_of_workers, trains_on_gpu
from ccnn_geo.training.lightning import LightningDataModule
from ccnn_geo.training.tasks.classes import Classification
from ccnn_geo.transforms.pipelines.base import Pipeline


class EpochDataModule(LightningDataModule):
    """Loads a training set in a new order for each epoch, and validation and test sets in their own order.

    A subclass sets ``train_set`` (keys ``(epoch, index)``), ``validation_set`` and ``test_set`` in ``setup``, and
    describes the network: ``classes``, ``in_channels``, ``dim`` and ``readout``.

    Args:
        dataset: Name of the data set.
        batch_size: Samples per batch and process.
        num_workers: Processes that load batches; by default none on a CPU, on a GPU one per core but one, 8 at most.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> from ccnn_geo.training.data.epochs import EpochDataset
        >>> class Flat(EpochDataModule):
        ...     def setup(self, stage):
        ...         self.classes, self.in_channels, self.dim = ["zeros", "ones"], 1, 1
        ...         self.train_set = EpochDataset([(torch.zeros(1, 16), 0), (torch.ones(1, 16), 1)], None)
        >>> data = Flat("flat", batch_size=2, num_workers=0)
        >>> data.setup("fit")
        >>> next(iter(data.train_dataloader()))[0].shape
        torch.Size([2, 1, 16])
    """

    augmentation: ClassVar[type]
    """Dataclass of the random changes of training samples."""

    dim: int
    in_channels: int | None
    """None until the data are opened, if only they show it."""

    readout: str = "global"
    task: str = Classification.name
    """The task that the data have truths for."""

    targets: Targets | None = None
    """Targets of a regression, once the data are opened."""

    num_classes: int = 0
    """0 until the data are opened, if only they show it."""

    pipeline: Pipeline | None = None
    """Makes a sample from a file; None until the data are opened, and for data without a file per sample."""

    train_set: EpochDataset
    validation_set: Any
    test_set: Any

    def __init__(self, dataset: str, batch_size: int, num_workers: int | None) -> None:
        super().__init__()
        if batch_size < 1 or (num_workers is not None and num_workers < 0):
            raise ValueError(
                f"data: expected batch_size >= 1 and num_workers >= 0, got {batch_size}, {num_workers}"
            )
        self.dataset, self.batch_size, self.num_workers = dataset, batch_size, num_workers
        self.run_seed = 0
        self.same_batches = False  # the same in every epoch, for overfit_batches
        self._resumed_epoch = 0
        self.classes: list[str] = []
        self.notes: list[str] = []
        """Notes for the user about the data once they are opened, one line each."""

    @property
    def label(self) -> str:
        """The name of results on the test set."""
        return self.dataset

    def check(self) -> None:
        """Refuses faulty settings before anything is opened.

        Raises:
            ValueError: If an argument is out of range.
        """

    def class_shares(self) -> list[float]:
        r"""Share :math:`n_c / N` of each class in the labels of the training set.

        Raises:
            ValueError: If the data have no classes, or a class has no label.
        """
        counts = class_counts(self.train_set.samples, len(self.classes), self.readout == "node")
        if not self.classes or not all(counts):
            without = [name for name, count in zip(self.classes, counts, strict=True) if not count]
            raise ValueError(
                "optim.class_weights and logit_adjustment: expected labels of every class, found none of "
                f"{', '.join(without) or 'any'}"
            )
        return [count / sum(counts) for count in counts]

    def state_dict(self) -> dict[str, int]:
        """The state in checkpoints: the epoch to resume with."""
        return {"epoch": self._complete_epochs()}

    def load_state_dict(self, state_dict: Mapping[str, int]) -> None:
        self._resumed_epoch = state_dict["epoch"]

    def _complete_epochs(self) -> int:
        if self.trainer is None:
            return 0
        current: Any = self.trainer.fit_loop.epoch_progress.current  # it also tracks processed epochs
        return current.processed

    def train_dataloader(self) -> DataLoader:
        replicas, rank = self._processes()
        sampler = EpochSampler(len(self.train_set), self.run_seed, replicas, rank, self.same_batches)
        # workers request their first batches before Lightning gives the sampler the epoch of a resumed run
        sampler.set_epoch(max(self._resumed_epoch, self._complete_epochs()))
        # a last batch of one sample would upset the batch statistics
        return self._loader(self.train_set, "training", sampler, drop_last=len(sampler) > self.batch_size)

    def val_dataloader(self) -> DataLoader:
        return self._evaluation_loader(self.validation_set, "validation")

    def test_dataloader(self) -> DataLoader:
        return self._evaluation_loader(self.test_set, "test")

    def _evaluation_loader(self, samples: Any, part: str) -> DataLoader:
        if len(samples) == 0:
            raise ValueError(f"data: expected a {part} set of one sample or more, {self.dataset} has none")
        replicas, rank = self._processes()
        # not padded: no sample may count twice
        return self._loader(samples, part, range(rank, len(samples), replicas))

    def _loader(
        self, samples: Any, part: str, sampler: Sampler | Sequence[int], drop_last: bool = False
    ) -> DataLoader:
        workers = number_of_workers(self.num_workers, self.trainer)
        return DataLoader(
            FiniteSamples(samples, f"{self.dataset}, {part} set"),
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=trains_on_gpu(self.trainer),
        )

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        if isinstance(batch, Data):  # Lightning waits for everything but tensors
            return batch.to(device, non_blocking=device.type == "cuda")
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def _processes(self) -> tuple[int, int]:
        """The number of processes, and the rank of this one."""
        return (1, 0) if self.trainer is None else (self.trainer.world_size, self.trainer.global_rank)


def class_counts(samples: Any, num_classes: int, per_point: bool) -> list[int]:
    """Counts the labels of each class; points without a label, -1, do not count.

    Args:
        samples: Samples with one label each in ``y``, or with labels of points, which are all read.
        num_classes: :math:`K`.
        per_point: Whether the labels belong to points.
    """
    counts = torch.zeros(num_classes, dtype=torch.long)
    for y in point_labels(samples) if per_point else [samples.y]:
        counts += torch.bincount(y[y >= 0], minlength=num_classes)
    return counts.tolist()


def two_or_more(classes: Sequence[str]) -> list[str]:
    """Checks that there are at least two classes, and returns their names.

    Raises:
        ValueError: If there are fewer.
    """
    if len(classes) < 2:
        found = f"one: {str(classes[0])!r}" if classes else "none"
        raise ValueError(f"data: expected at least two classes, found {found}")
    return [str(name) for name in classes]
