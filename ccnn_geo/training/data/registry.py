"""The base of data modules for registered data sets: opens their splits, and holds out validation samples."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ccnn_geo.datasets import stratified_split
from ccnn_geo.datasets.registry import dataset_class
from ccnn_geo.nn.targets import Targets
from ccnn_geo.training.data.base import EpochDataModule, two_or_more
from ccnn_geo.training.data.epochs import EpochDataset
from ccnn_geo.training.data.known_truths import check_known, check_same_targets
from ccnn_geo.training.data.sources import check_keywords, check_limit, limited, root_named, splits_of
from ccnn_geo.transforms.pipelines.base import Pipeline

OWN = frozenset({"transform"})
"""Arguments of data sets that the data module sets."""


class RegistryDataModule(EpochDataModule):
    """Opens a data set by its name in :data:`ccnn_geo.datasets.registry.PLACES`.

    Training samples are augmented again in every epoch. Validation uses the split of the data set; a user's own files
    without one give a stratified share of the training set. Only ``test`` opens the test set.

    Args:
        dataset: Name of the data set.
        root: Folder of the data, or folder to download to.
        dataset_args: Further arguments of the data set.
        batch_size: Samples per batch and process.
        num_workers: Processes that load batches; by default none on a CPU, on a GPU one per core but one, 8 at most.
        limit: Number of training samples to use, for trials: the first in a fixed random order; None for all.
        validation_fraction: Share of the training set for validation, if there is no validation split.
        seed: Seed of that share and that order; training uses the run's seed.
        own: Arguments of the data set that users cannot set, besides its transform.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> class Signals(RegistryDataModule):
        ...     def sample_shape(self, samples):
        ...         return samples.in_channels, len(samples.size)
        >>> data = Signals("mnist", "data", None, 32, 0, limit=1000, validation_fraction=0.1, seed=0)
        >>> data.in_channels, data.dim, data.num_classes
        (1, 2, 10)
        >>> data.setup("fit")  # doctest: +SKIP
    """

    def __init__(
        self,
        dataset: str,
        root: str,
        dataset_args: Mapping[str, Any] | None,
        batch_size: int,
        num_workers: int | None,
        limit: int | None,
        validation_fraction: float,
        seed: int,
        own: Set[str] = frozenset(),
    ) -> None:
        super().__init__(dataset, batch_size, num_workers)
        check_limit(limit)
        if not 0 < validation_fraction < 1:
            raise ValueError(f"data.validation_fraction: expected (0, 1), got {validation_fraction}")
        self.cls = dataset_class(dataset)
        check_keywords(self.cls, dataset_args or {}, OWN | own)
        info = self.cls.info
        self.in_channels, self.dim, self.num_classes = info.in_channels, info.dim, info.classes
        self.root, self.dataset_args = root, dict(dataset_args or {})
        self.limit, self.validation_fraction, self.seed = limit, validation_fraction, seed
        self.task, self.readout = self._truths()

    def _truths(self) -> tuple[str, str]:
        """The task and the readout; for data sets of several kinds, their files and arguments decide."""
        if hasattr(self.cls, "truths"):
            return self.cls.truths(Path(self.root).expanduser(), self.dataset_args)
        scene = self.cls.info.family == "scene"
        return ("segmentation", "node") if scene else ("classification", "global")

    def prepare_data(self) -> None:
        """Downloads and prepares the required splits, in one process per machine."""
        if self.trainer is not None and self.trainer.testing:
            self.open("test")
        else:
            self.open("train")
            self._open_validation()

    def setup(self, stage: str) -> None:
        if stage == "test":
            self.test_set = self.open("test", self.evaluation_transform())
            check_known(self.test_set, "test", self.task)
            self._describe(self.test_set, is_measured=False)
            return
        change = self.training_transform(), self.evaluation_transform()
        train = self.open("train", change[0])
        self._describe(train, is_measured=True)
        self.notes = [train.labels_found] if hasattr(train, "labels_found") else []
        validation = self._open_validation()
        if validation is None:
            keep, held_out = stratified_split(self.strata(train), self.validation_fraction, self.seed)
            same = change[0] is change[1]
            validation = (train if same else self.open("train", change[1]))[held_out]
            train = train[keep]
        elif self.task == "regression":
            check_same_targets(train, validation, "validation")
        train = limited(train, self.limit, self.seed)
        check_known(validation, "validation", self.task)
        if hasattr(train, "cell_labels"):  # others are augmented when read, and were checked before
            check_known(train, "training", self.task)
        if self.task == "regression":
            self.targets = train.target_scale()  # from the training samples
        self.train_set = EpochDataset(train, None, self.run_seed)
        self.validation_set = validation

    def open(self, split: str, transform: Callable[[Any], Any] | None = None) -> Any:
        """One split of the data set."""
        # some have their own chain of transforms: pass the transform, do not set it
        with root_named(self.root):
            return self.cls(self.root, split, **self.dataset_args, transform=transform)

    def _open_validation(self) -> Any | None:
        """The validation split; None if the data set has none."""
        counts = self.cls.info.counts
        with root_named(self.root):
            known = counts if counts else splits_of(self.cls, self.root, self.dataset_args)
        return self.open("validation", self.evaluation_transform()) if "validation" in known else None

    def strata(self, samples: Any) -> Tensor:
        """Class of each sample, for a stratified validation set; all equal if samples have no class."""
        if self.readout == "node" or self.task == "regression":
            return torch.zeros(len(samples), dtype=torch.long)
        return samples.y

    def training_transform(self) -> Callable[[Any], Any] | None:
        """Random changes of a training sample."""

    def evaluation_transform(self) -> Callable[[Any], Any] | None:
        """The preparation of validation and test samples, without randomness."""

    def prediction_pipeline(self, found: Pipeline | None) -> Pipeline | None:
        """The pipeline from a file to a sample, derived from that of the data set."""
        return found

    @abstractmethod
    def sample_shape(self, samples: Any) -> tuple[int, int]:
        """Number of channels, and dimension of the positions."""

    def _describe(self, samples: Any, is_measured: bool) -> None:
        """Takes properties from samples; the scale of targets only from training samples, where each has a value."""
        self.pipeline = self.prediction_pipeline(getattr(samples, "pipeline", None))
        if self.task == "regression":
            self.classes, self.num_classes = [], 0
            self.in_channels, self.dim = self.sample_shape(samples)
            self.targets = samples.target_scale() if is_measured else _unscaled(samples)
            return
        if samples.classes is None:
            told = f"; {samples.labels_found}" if hasattr(samples, "labels_found") else ""
            raise ValueError(
                f"data.dataset_args: {self.dataset} needs classes, got {self.dataset_args}{told}"
            )
        self.classes = two_or_more(samples.classes)
        self.num_classes = len(self.classes)
        self.in_channels, self.dim = self.sample_shape(samples)


def _unscaled(samples: Any) -> Targets:
    """Names and units of targets; a network under test has its own learned scale."""
    names, units = tuple(samples.target_names), tuple(samples.target_units)
    return Targets(names, units, (0.0,) * len(names), (1.0,) * len(names))
