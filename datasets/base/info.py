"""Facts about a data set that are known before it is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FAMILIES = ("sequence", "image", "shape", "series", "scene", "cloud")
"""Signals in time, on a plane, on surfaces; irregular in time; scenes with a label per point; clouds with targets."""


@dataclass(frozen=True)
class DataFile:
    """A published file.

    Args:
        url: The address of the file.
        path: The place of the file, relative to the data set's folder.
        checksum: Published digest, ``sha256:...`` or ``md5:...``; None if the publisher gives none.
        size: Size in bytes, reported before a download.
    """

    url: str
    path: str
    checksum: str | None
    size: int


@dataclass(frozen=True)
class DatasetInfo:
    """A data set in figures.

    Args:
        name: Name on the command line.
        title: One line about it.
        family: One of :data:`FAMILIES`.
        in_channels: Channels of a sample; None if it depends on the user's files.
        size: Samples along each axis; None if it varies.
        classes: Number of classes; 0 if there are none, or if it depends on the user's files.
        counts: Samples of each split as the paper has it; empty for a user's own files.
        folder: Folder under the root; data sets made from the same files share it.
        files: The files to download.
        prepared: Bytes written besides the downloads: unpacked and prepared files.
        many_files: Whether files are converted one by one, which processes of ``torchrun`` and SLURM share.
        source: The publisher, and the paper that describes the use.

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
        """Axes of a grid, or the dimension of the positions of points, if known."""
        if self.size is not None:
            return len(self.size)
        return {"sequence": 1, "image": 2, "shape": 3, "series": 1, "scene": 3, "cloud": 3}[self.family]
