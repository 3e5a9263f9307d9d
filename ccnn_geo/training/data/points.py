"""Series irregular in time, voxels, scenes and clouds with targets, for training, validation and testing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from ccnn_geo._base.pyg import BaseTransform, Compose, Data
from ccnn_geo.training.data.registry import RegistryDataModule
from ccnn_geo.transforms import RandomSubset
from ccnn_geo.transforms._points import take_points
from ccnn_geo.transforms.pipelines.base import Pipeline
from ccnn_geo.transforms.pipelines.scans import ScanPipeline
from ccnn_geo.transforms.pipelines.series import SeriesPipeline
from ccnn_geo.transforms.pipelines.shapes import Augmentation
from ccnn_geo.transforms.scan_points import even_indices


class PointsDataModule(RegistryDataModule):
    """``Data(x [N, C], pos [N, D])`` by name of the data set: labels or targets of each, or of its points.

    Training draws ``num_points`` of the points again in every epoch and augments them; validation and test use as many
    every time. Validation uses the split of the data set; a user's own files without one give a share of the training
    set. Only ``test`` opens the test set.

    Args:
        dataset: Name of a data set of series, voxels, scenes or clouds, see ``ccnn-geo data list``.
        root: Folder of the data, or folder to download to.
        dataset_args: Further arguments of the data set.
        num_points: Points per sample; null for all.
        augment: Random changes of training samples.
        batch_size: Samples per batch and process.
        num_workers: Processes that load batches; by default none on a CPU, on a GPU one per core but one, 8 at most.
        limit: Number of training samples to use, for trials: the first in a fixed random order; null for all.
        validation_fraction: Share of the training set for validation, if there is no validation split.
        seed: Seed of that share and that order; training uses the run's seed.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> data = PointsDataModule("physionet2012", num_points=64)
        >>> data.in_channels, data.dim, data.readout
        (74, 1, 'global')
        >>> data.setup("fit")  # doctest: +SKIP
        >>> batch = next(iter(data.train_dataloader()))  # doctest: +SKIP
    """

    augmentation = Augmentation
    pipeline: ScanPipeline | None = None
    """Prepares samples, once a split of scans is open; None for other data."""

    def __init__(
        self,
        dataset: str = "physionet2012",
        root: str = "data",
        dataset_args: dict[str, Any] | None = None,
        num_points: int | None = None,
        augment: Augmentation | None = None,
        batch_size: int = 32,
        num_workers: int | None = None,
        limit: int | None = None,
        validation_fraction: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(
            dataset, root, dataset_args, batch_size, num_workers, limit, validation_fraction, seed
        )
        if num_points is not None and num_points < 1:
            raise ValueError(f"data.num_points: expected 1 or more, or null for all, got {num_points}")
        self.num_points, self.augment = num_points, augment or Augmentation()

    def check(self) -> None:
        """Refuses impossible augmentations."""
        self.augment.transforms()
        if self.augment.drop_normals != 0:
            raise ValueError(
                "data.augment.drop_normals: expected 0, got "
                f"{self.augment.drop_normals}, but {self.dataset} has no normals"
            )
        wrong = [name for name in ("rotate_axis", "swap_up", "mirror") if getattr(self.augment, name)]
        if wrong and self.dim != 3:
            raise ValueError(
                f"data.augment.{wrong[0]}: {self.dataset} has positions in {self.dim} D, expected 3"
            )

    def training_transform(self) -> Callable[[Data], Data] | None:
        """Different points each time, augmented."""
        chain = self.augment.transforms()
        chain = chain if self.num_points is None else [RandomSubset(self.num_points), *chain]
        return Compose(chain) if chain else None

    def evaluation_transform(self) -> Callable[[Data], Data] | None:
        """Points evenly spaced in their order, in time or in the file; the first ones would come from one place."""
        return None if self.num_points is None else _EvenSubset(self.num_points)

    def prediction_pipeline(self, found: Pipeline | None) -> Pipeline | None:
        """The pipeline of the data set, with this training's number of points; labels of times are all predicted."""
        if isinstance(found, SeriesPipeline) and self.readout == "node":
            return found
        if isinstance(found, (SeriesPipeline, ScanPipeline)):
            return replace(found, num_points=self.num_points)
        return found

    def sample_shape(self, samples: Any) -> tuple[int, int]:
        """Columns of the features and of the positions; channels and axes for voxels as a grid."""
        first = samples[0]
        if isinstance(first, tuple):
            return first[0].size(0), first[0].dim() - 1
        if first.y is None:
            raise ValueError(f"data: expected labels, {self.dataset} has none for {first.name}")
        return first.x.size(1), first.pos.size(1)


class _EvenSubset(BaseTransform):
    """Keeps ``num`` points (all, if there are fewer), evenly spaced in their stored order."""

    def __init__(self, num: int) -> None:
        self.num = num

    def forward(self, data: Data) -> Data:
        if data.num_nodes <= self.num:
            return data
        return take_points(data, torch.from_numpy(even_indices(self.num, data.num_nodes)))
