"""Sequences and images for training, validation and testing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ccnn_geo._base.pyg import Compose
from ccnn_geo.datasets.base.signals import SignalDataset
from ccnn_geo.datasets.images.images import ImageDataset
from ccnn_geo.training.data.registry import RegistryDataModule
from ccnn_geo.transforms.random_crop import RandomCrop
from ccnn_geo.transforms.random_flip import RandomFlip
from ccnn_geo.transforms.random_noise import RandomNoise
from ccnn_geo.transforms.random_time_shift import RandomTimeShift


@dataclass(frozen=True)
class GridAugmentation:
    """Random changes of a training sample.

    Args:
        crop: Reflects images outwards by this many pixels on every side, then crops them to their size anywhere.
        flip: Mirrors half of the images left to right.
        shift: Moves sequences by up to this many samples either way.
        noise: Range of the signal-to-noise ratio, in decibels; null for no noise.

    Example:
        >>> augment = GridAugmentation(crop=4, flip=True)
        >>> [type(t).__name__ for t in augment.transforms()]
        ['RandomCrop', 'RandomFlip']
    """

    crop: int = 0
    flip: bool = False
    shift: int = 0
    noise: tuple[float, float] | None = None

    def transforms(self) -> list[Any]:
        """The transforms that have an effect, in order.

        Raises:
            ValueError: If an argument is out of range.
        """
        chain: list[Any] = []
        if self.crop != 0:
            chain.append(RandomCrop(self.crop))
        if self.flip:
            chain.append(RandomFlip())
        if self.shift != 0:
            chain.append(RandomTimeShift(self.shift))
        if self.noise is not None:
            chain.append(RandomNoise(self.noise))
        return chain


class GridsDataModule(RegistryDataModule):
    """Sequences or images by name of the data set; batches are ``(grids [B, C, *S], labels [B])``.

    The truths are targets ``[B, T]`` or labels of cells ``[B, *S]`` if the files have these.

    Training samples are augmented again in every epoch; sequences made from images are augmented as images.
    Validation uses the split of the data set; a user's own files without one give a stratified share of the training
    set. Only ``test`` opens the test set.

    Args:
        dataset: Name of a data set of sequences or images, see ``ccnn-geo data list``.
        root: Folder of the data, or folder to download to.
        dataset_args: Further arguments of the data set.
        augment: Random changes of training samples.
        batch_size: Samples per batch and process.
        num_workers: Processes that load batches; by default none on a CPU, on a GPU one per core but one, 8 at most.
        limit: Number of training samples to use, for trials: the first in a fixed random order; null for all.
        validation_fraction: Share of the training set for validation, if there is no validation split.
        seed: Seed of that share and that order; training uses the run's seed.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import tempfile
        >>> few = {"generate": {"train": 8, "validation": 2, "test": 2}}
        >>> with tempfile.TemporaryDirectory() as root:
        ...     data = GridsDataModule("listops", root, few, batch_size=4)
        ...     data.setup("fit")
        >>> grids, labels = next(iter(data.train_dataloader()))
        >>> grids.shape, labels.shape
        (torch.Size([4, 18, 2048]), torch.Size([4]))
    """

    augmentation = GridAugmentation

    def __init__(
        self,
        dataset: str = "smnist",
        root: str = "data",
        dataset_args: dict[str, Any] | None = None,
        augment: GridAugmentation | None = None,
        batch_size: int = 50,
        num_workers: int | None = None,
        limit: int | None = None,
        validation_fraction: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(
            dataset, root, dataset_args, batch_size, num_workers, limit, validation_fraction, seed
        )
        self.augment = augment or GridAugmentation()

    def check(self) -> None:
        """Refuses impossible augmentations."""
        self.augment.transforms()
        of_images = self.dim > 1 or issubclass(self.cls, ImageDataset)
        wrong = self.augment.shift if of_images else self.augment.crop or self.augment.flip
        if wrong:
            raise ValueError(
                "data.augment: expected crop and flip only for images, shift only for other sequences, "
                f"got {self.augment} for {self.dataset}"
            )
        if self.readout == "node" and (self.augment.shift or self.augment.noise):
            raise ValueError(
                f"data.augment: expected crop and flip only, which labels of cells can follow, got {self.augment}"
            )

    def training_transform(self) -> Compose | None:
        """Augmentation; applied to ``[C, *S]``."""
        chain = self.augment.transforms()
        return Compose(chain) if chain else None

    def sample_shape(self, samples: SignalDataset) -> tuple[int, int]:
        """Number of channels, and number of axes."""
        return samples.in_channels, len(samples.size)
