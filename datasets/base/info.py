"""What is known of a data set before it is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FAMILIES = ("sequence", "image", "shape", "series", "scene", "cloud")
"""Signals in time, on a plane, on surfaces; irregular in time; scenes with a label per point; clouds with targets."""


@dataclass(frozen=True)
class DataFile:
    """A file as its publisher ships it.

    Args:
        url: Where it is published.
        path: Where it goes, relative to the data set's folder.
        checksum: Published digest, ``sha256:...`` or ``md5:...``; None where the publisher gives none.
        size: Bytes, for what is told before a download.
    """

    url: str
    path: str
    checksum: str | None
    size: int


@dataclass(frozen=True)
class DatasetInfo:
    """A data set in figures.

    Args:
        name: What the command line calls it.
        title: One line about it.
        family: One of :data:`FAMILIES`.
        in_channels: Channels of a sample; None where it is up to the user's files.
        size: Samples along each axis; None where it varies.
        classes: Number of classes; 0 where there is none, or where it is up to the user's files.
        counts: Samples of each split as the paper has it; empty for a user's own files.
        folder: Folder under the root; data sets made of the same files share it.
        files: What is downloaded.
        prepared: Bytes that are written besides the downloads: unpacked and prepared files.
        many_files: Whether its files are converted one by one, which processes of ``torchrun`` and SLURM share.
        source: Who published it, and where the paper describes its use.

    Example:
        >>> from ccnn_geo.datasets import dataset_class
        >>> info = dataset_class("cifar10").info
        >>> info.in_channels, info.size, info.dim, info.counts["train"]
        (3, (32, 32), 2, 45000)
        >>> sum(file.size for file in info.files)  # bytes to download
        170052171
    """

    name: str
    title: str
    family: str
    in_channels: int | None
    size: tuple[int, ...] | None
    classes: int
    counts: Mapping[str, int] = field(default_factory=dict)
    folder: str = ""
    files: tuple[DataFile, ...] = ()
    prepared: int = 0
    many_files: bool = False
    source: str = ""

    @property
    def dim(self) -> int | None:
        """Axes of a grid; of points the dimension of their positions, where it is known."""
        if self.size is not None:
            return len(self.size)
        return {"sequence": 1, "image": 2, "shape": 3, "series": 1, "scene": 3, "cloud": 3}[self.family]
