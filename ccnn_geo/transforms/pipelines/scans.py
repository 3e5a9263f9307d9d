"""From a laser scan, or a tile of one, to network inputs: the same in training and in prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from ccnn_geo._base.pyg import Data
from ccnn_geo.io.scans.bin_file import check_columns
from ccnn_geo.io.scans.frames import EXTENSIONS, Frame, read_frame
from ccnn_geo.transforms.pipelines.base import Pipeline
from ccnn_geo.transforms.scan_points import (
    centred,
    class_codes,
    class_labels,
    even_indices,
    feature_columns,
    thin,
)

SEED = 0
"""Default seed for choosing ``max_points`` points."""


@dataclass(frozen=True)
class ScanPipeline(Pipeline):
    """Prepares a scan; stored in checkpoints, so that prediction repeats it.

    Args:
        features: Columns of ``x``: measurements, ``constant``, and ``x``, ``y``, ``z`` of ``pos``.
        moments: Mean and standard deviation that standardise a measurement; measurements without stay unchanged.
        unit: Length in the file that becomes 1 in ``pos``.
        tile: Edge of the square tiles that become samples, in units of the file; null for whole scans.
        voxel: Edge of cubes that keep one point each, the one nearest to the centre.
        max_points: Largest number of points to keep, chosen at random.
        num_points: Number of points to keep of those, evenly spaced in order.
        columns: Names of the columns in ``.bin`` and ``.npy`` files, see
            :func:`~ccnn_geo.io.scans.bin_file.read_bin` and :func:`~ccnn_geo.io.scans.npy_file.open_npy`.
        column_type: Type of these columns, ``float32`` or ``float64``.
        label: Name of the label column.
        classes: Codes in the files that become the classes 0, 1 and so on; null keeps the codes.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> import numpy as np
        >>> scan = Frame(np.random.rand(500, 3) * 40, {"intensity": np.random.rand(500)}, None)
        >>> pipeline = ScanPipeline(moments={"intensity": (0.5, 0.29)}, unit=20.0, max_points=64)
        >>> pipeline(scan)
        Data(x=[64, 1], pos=[64, 3], origin=[1, 3])
    """

    kind: ClassVar[str] = "scan"
    extensions: ClassVar[tuple[str, ...]] = EXTENSIONS

    features: Sequence[str] = ("intensity",)
    moments: Mapping[str, Sequence[float]] = field(default_factory=dict)
    unit: float = 1.0
    tile: float | None = None
    voxel: float | None = None
    max_points: int | None = None
    num_points: int | None = None
    columns: Sequence[str] | None = None
    column_type: str = "float32"
    label: str | None = None
    classes: Sequence[int] | None = None

    def __post_init__(self) -> None:
        names = ("unit", "tile", "voxel", "max_points", "num_points")
        sizes = {name: getattr(self, name) for name in names}
        wrong = {name: value for name, value in sizes.items() if value is not None and not value > 0}
        if wrong:
            raise ValueError(f"lidar: expected numbers above 0, got {wrong}")
        if isinstance(self.features, str) or not self.features:
            raise ValueError(f"lidar: expected features to be a list of names, got {self.features!r}")
        if any(len(pair) != 2 for pair in self.moments.values()):
            raise ValueError(f"lidar: expected moments to be pairs of mean and deviation, got {self.moments}")
        check_columns(self.columns, self.column_type)
        if self.classes is not None:
            class_codes(self.classes)

    @property
    def in_channels(self) -> int:
        """Columns of ``data.x``."""
        return len(self.features)

    def read(self, source: str | PathLike[str]) -> Frame:
        """Reads all points of a file, see :func:`~ccnn_geo.io.scans.frames.read_frame`."""
        return read_frame(Path(source), self.columns, self.column_type, self.label, self.features)

    def __call__(self, frame: Frame) -> Data:
        """Turns a scan into one sample, thinned as in training; ``tile`` has no effect."""
        return self.sample(frame, self.thinned(frame.xyz))

    def thinned(self, xyz: np.ndarray, seed: int = SEED, shift: np.ndarray | float = 0.0) -> np.ndarray:
        """Ascending indices of the points that remain in a sample.

        Args:
            xyz: The points of the sample, in units of the file.
            seed: Seed for choosing ``max_points``.
            shift: Shifts the cubes of ``voxel``, for another thinning of the same points.

        Shapes:
            ``xyz [N, 3]``, ``shift [3]`` -> ``[M]``, M <= N.
        """
        keep = np.arange(len(xyz)) if self.voxel is None else thin(xyz + shift, self.voxel)
        if self.max_points is not None and len(keep) > self.max_points:
            rng = np.random.default_rng(seed)
            keep = np.sort(rng.choice(keep, self.max_points, replace=False))
        if self.num_points is not None and len(keep) > self.num_points:
            keep = keep[even_indices(self.num_points, len(keep))]
        return keep

    def sample(self, frame: Frame, keep: np.ndarray) -> Data:
        """Makes the network's input from some points of a scan.

        Args:
            frame: The scan.
            keep: Indices of the points.

        Shapes:
            ``keep [M]`` -> ``Data(x [M, F], pos [M, 3], origin [1, 3])`` and, for a scan with labels, ``y [M]``;
            ``pos * unit + origin`` are the file's coordinates; origin is float64.

        Raises:
            ValueError: If the file lacks a feature.
        """
        pos, origin = centred(frame.xyz[keep], self.unit)
        x = feature_columns(frame, keep, pos, self.features, self.moments)
        data = Data(
            x=torch.from_numpy(x.astype(np.float32)),
            pos=torch.from_numpy(pos.astype(np.float32)),
            origin=torch.from_numpy(origin[None]),
        )
        if frame.labels is not None:
            data.y = torch.from_numpy(class_labels(frame.labels[keep], self.classes))
        return data
