"""Shapes for training, validation and testing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from ccnn_geo._base.pyg import Batch, Compose, Data, DataLoader
from ccnn_geo.datasets import ShapeDataset, stratified_split
from ccnn_geo.training.data.base import EpochDataModule, two_or_more
from ccnn_geo.training.data.epochs import EpochDataset
from ccnn_geo.training.data.neighbor_cache import NeighborCache, restore_edges
from ccnn_geo.training.data.sources import (
    check_arguments,
    check_limit,
    has_validation,
    limited,
    open_split,
    shapes_class,
)
from ccnn_geo.transforms.pipelines.shapes import Augmentation, ShapePipeline


class ShapesDataModule(EpochDataModule):
    """Labelled shapes, or shapes with labelled parts, by name of the data set.

    Training draws ``num_points`` of the stored points again in every epoch and augments them; validation and test use
    the same points every time. Validation uses the folder's own split, otherwise a stratified share of the training
    set. Only ``test`` opens the test set.

    Args:
        dataset: ``parametric``, ``modelnet10``, ``modelnet40``, ``folder`` or ``parts``.
        root: Folder of the data, or folder to download to; ``folder`` and ``parts`` need ``<split>/<class>/<file>``.
        dataset_args: Further arguments of the data set.
        num_points: Points (or voxels) per sample.
        num_samples: Stored points per shape.
        features: Input features of a point: ``normal``, ``pos``, ``normal_outer``, ``constant``.
        subset: Choice of the points: ``random``, or ``farthest`` from each other, evenly spread.
        reference_points: With ``farthest``: a point's weight is its share of the shape times this number, the number
            of points in training; null for no weights.
        carrier: ``points``, ``voxels`` (the non-empty cells of a lattice), or ``grid`` (all of its cells).
        voxel_size: Voxels along each axis.
        normal_neighbors: Neighbours that estimate the normals of clouds without them.
        frame: Placement of shapes: on the unit ``sphere``, or in the ``box`` [-1, 1]^3, filled by the longest side.
        cells: Cells of occupancy grids (``.npy``, ``.npz``) to use: those at the ``surface``, or all ``occupied``.
        up: The axis that points up in the files, ``x``, ``y`` or ``z``, for ``predict --up``; no effect on training.
        augment: Random changes of training samples.
        batch_size: Samples per batch and process.
        num_workers: Processes that load batches; by default none on a CPU, on a GPU one per core but one, 8 at most.
        limit: Number of training samples to use, for trials: the first in a fixed random order; null for all.
        validation_fraction: Share of the training set for validation, if there is no validation split.
        neighbor_cache: MB per process for the neighbours of validation samples, which are then found only once; 2 bytes
            per neighbour. Training draws new points in every epoch and has none to keep.
        seed: Seed of the points and of the validation samples; training uses the run's seed.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tempfile
        >>> few = {"train_per_class": 2, "test_per_class": 1}
        >>> with tempfile.TemporaryDirectory() as root:
        ...     data = ShapesDataModule("parametric", root, few, num_points=64, num_samples=64, batch_size=4)
        ...     data.setup("fit")
        >>> next(iter(data.train_dataloader())).x.shape
        torch.Size([256, 6])
    """

    dim = 3
    augmentation = Augmentation

    def __init__(
        self,
        dataset: str = "parametric",
        root: str = "data",
        dataset_args: dict[str, Any] | None = None,
        num_points: int = 512,
        num_samples: int = 2048,
        features: list[str] | None = None,
        subset: str = "random",
        reference_points: int | None = None,
        carrier: str = "points",
        voxel_size: int = 40,
        normal_neighbors: int = 16,
        frame: str = "sphere",
        cells: str = "surface",
        up: str | None = None,
        augment: Augmentation | None = None,
        batch_size: int = 32,
        num_workers: int | None = None,
        limit: int | None = None,
        validation_fraction: float = 0.1,
        neighbor_cache: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(dataset, batch_size, num_workers)
        cls = shapes_class(dataset)
        self.task, self.readout = cls.truths(Path(root).expanduser(), dataset_args or {})
        self.pipeline: ShapePipeline = cls.pipeline_class(
            num_points,
            num_samples,
            features or ("normal", "pos"),
            carrier,
            voxel_size,
            normal_neighbors,
            seed,
            subset,
            reference_points,
            frame,
            cells,
            (dataset_args or {}).get("columns"),
            up,
        )
        if not 0 < validation_fraction < 1:
            raise ValueError(f"data.validation_fraction: expected (0, 1), got {validation_fraction}")
        check_limit(limit)
        if neighbor_cache < 0:
            raise ValueError(f"data.neighbor_cache: expected 0 MB or more, got {neighbor_cache}")
        check_arguments(dataset, dataset_args or {})
        self.root, self.dataset_args = root, dataset_args or {}
        self.in_channels = self.pipeline.in_channels
        self.num_classes = cls.info.classes
        self.augment = augment or Augmentation()
        self.validation_fraction, self.neighbor_cache, self.limit = validation_fraction, neighbor_cache, limit

    @property
    def label(self) -> str:
        """The name of results on the test set: the same shapes may be points or voxels."""
        return self.pipeline.carrier

    def check(self) -> None:
        """Refuses impossible augmentations."""
        self.augment.transforms(), self.augment.of_whole_shapes()

    def prepare_data(self) -> None:
        """Downloads and samples the training shapes, in one process per machine."""
        if self.trainer is None or not self.trainer.testing:
            self._open("train")

    def setup(self, stage: str) -> None:
        if stage == "test":
            self.test_set = self._open("test")
            self.test_set.transform = self._labelled(self.pipeline.evaluation())
            self.classes = two_or_more(self.test_set.classes)
            return
        train = self._open("train")
        self.classes = two_or_more(train.classes)
        if has_validation(self.dataset, self.root):
            validation = self._open("validation")
        else:
            keep, held_out = stratified_split(train.y, self.validation_fraction, self.pipeline.seed)
            train, validation = train[keep], train[held_out]
        validation.transform = self._labelled(self.pipeline.evaluation())
        train = limited(train, self.limit, self.pipeline.seed)
        change = self._labelled(self.pipeline.training(self.augment))
        self.train_set = EpochDataset(train, change, self.run_seed)
        self.validation_set = validation

    def _labelled(self, transform: Compose) -> Callable[[Data], Any]:
        """The transform; for dense grids it ends in the pair ``(grid [C, S, S, S], label)``."""
        return transform if self.pipeline.carrier != "grid" else _DensePair(transform, self.pipeline)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return restore_edges(batch) if isinstance(batch, Batch) else batch

    def _open(self, split: str) -> ShapeDataset:
        return open_split(
            self.dataset,
            self.root,
            split,
            num_points=None,
            num_samples=self.pipeline.num_samples,
            seed=self.pipeline.seed,
            k=self.pipeline.normal_neighbors,
            frame=self.pipeline.frame,
            cells=self.pipeline.cells,
            **self.dataset_args,
        )

    def val_dataloader(self) -> DataLoader:
        return self._evaluation_loader(self._with_neighbors(self.validation_set), "validation")

    def _with_neighbors(self, samples: ShapeDataset) -> Dataset:
        """The samples, with neighbours if there is memory for them and a network that gives their number."""
        if self.neighbor_cache == 0 or self.trainer is None or self.pipeline.carrier == "grid":
            return samples
        network: Any = self.trainer.lightning_module.network
        if network.num_neighbors is None or network.stem.method == "mesh":
            return samples  # with all points of a cloud, pairs are never listed
        return NeighborCache(samples, network.num_neighbors, self.neighbor_cache * 2**20)


@dataclass(frozen=True)
class _DensePair:
    """A sample as a dense grid with its label, as loaders of grids collate them."""

    transform: Compose
    pipeline: ShapePipeline

    def __call__(self, data: Data) -> tuple[Tensor, int]:
        data = self.transform(data)
        return self.pipeline.dense(data), int(data.y)
