"""Laser scans for tasks with a label per point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from ccnn_geo._base.caller import warn_caller
from ccnn_geo._base.pyg import Data, Dataset
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.scenes.lidar_scans import Scans
from ccnn_geo.io.scans.point_labels import IGNORED
from ccnn_geo.transforms.pipelines.scans import ScanPipeline
from ccnn_geo.transforms.scan_points import cells, class_codes

FARTHEST = 10
"""Larger positions, in units, are reported: kernels are made for positions on [-1, 1]."""


class LidarFrames(Dataset):
    r"""Scans in ``root/<split>``, in subfolders or not: ``.bin``, ``.npy``, ``.las``, ``.laz``, ``.ply``, ``.pcd``.

    Files are read at every access. The last one is kept, so that reading the tiles of a frame in order is cheapest.
    Three options reduce frames of 100,000 points: ``tile`` cuts a frame into several samples, ``voxel`` evens out
    the density, and ``max_points`` limits the number; in this order. The choice of ``max_points`` is the same at every
    access; for other points in every epoch use ``transform=RandomSubset(n)`` instead.

    Measurements are standardised by mean and deviation over the points of ``root/train``, as for images and series.
    These statistics, the labels found there and the size of the scans are measured once and stored. Without splits,
    the files themselves take the place of ``root/train``.

    Args:
        root: The folder of the splits, or of the files themselves.
        split: "train", "validation" or "test"; None for files that lie in ``root``.
        download: Not used, there is nothing to download; kept for the common interface.
        checksum: Likewise.
        features: Columns of ``x``, see :func:`~ccnn_geo.io.scans.frames.read_frame`: ``intensity`` of
            BIN and LAS, in LAS also ``return_number``, ``num_returns``, ``red``, ``green``, ``blue``, in PLY and PCD
            any property, in BIN any declared column; and, for every file, ``constant`` (1) and ``x``, ``y``,
            ``z`` of ``pos``.
        classes: Codes in the files for the classes 0, 1 and so on; points with other codes get the label -1. None
            leaves the codes as they are.
        label: Name of the column of labels; None for the only column with a usual name.
        columns: Names of the numbers of a point in ``.bin`` and ``.npy``, such as ``[x, y, z, intensity, ring]``, with
            ``_`` for unused ones; None for those of nuScenes in ``.pcd.bin``, else of KITTI.
        column_type: Their type, ``float32`` or ``float64``.
        normalize: Whether measurements are standardised.
        tile: Edge of square tiles in x and y, in units of the file; empty tiles are left out.
        voxel: Edge of cubes that keep one point each, the one nearest to the centre.
        max_points: Most points to keep, chosen at random.
        unit: Length in the file that is 1 in ``pos``, the same for all frames. Kernels are made for positions on
            [-1, 1], so None means half a tile, or half the longest edge of the largest scan of ``root/train``.
        cache: Folder of the list of tiles and of the measurements (default ``root/processed/lidar``).
        transform: Applied at every access; augmentation, only for training.

    Shapes:
        ``dataset[i]`` is ``Data(pos [N, 3], x [N, F], y [N], origin [1, 3], name)``; pos and x float32, y int64, -1
        for all points of a file without labels, and left out if no file of ``root/train`` or of the split has any.
        ``pos * dataset.unit + origin`` are the file's coordinates; origin float64.

    Raises:
        FileNotFoundError: If the folder does not exist, or there is no ``root/train`` to standardise by.
        ValueError: For an argument out of range, a class without points in ``root/train``, a folder without scans, a
            file that cannot be read, or a feature that a file lacks.

    Example:
        >>> import os
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     os.makedirs(f"{root}/train")
        ...     points = torch.rand(100, 4) * torch.tensor([40, 40, 3, 1])  # x, y, z in metres, intensity
        ...     points.numpy().tofile(f"{root}/train/0.bin")
        ...     LidarFrames(root, max_points=64)[0]
        Data(x=[64, 1], pos=[64, 3], origin=[1, 3], name='train/0.bin')
    """

    info = DatasetInfo(
        name="lidar",
        title="your own laser scans (.bin .npy .las .laz .ply .pcd), a label per point",
        family="scene",
        in_channels=None,
        size=None,
        classes=0,
        many_files=True,
        source="your own files",
    )

    def __init__(
        self,
        root: str | PathLike[str],
        split: str | None = "train",
        *,
        download: bool = True,
        checksum: str | None = "published",
        features: Sequence[str] = ("intensity",),
        classes: Sequence[int] | None = None,
        label: str | None = None,
        columns: Sequence[str] | None = None,
        column_type: str = "float32",
        normalize: bool = True,
        tile: float | None = None,
        voxel: float | None = None,
        max_points: int | None = None,
        unit: float | None = None,
        cache: str | PathLike[str] | None = None,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        described = ScanPipeline(
            features=features,
            unit=1.0 if unit is None else unit,
            tile=tile,
            voxel=voxel,
            max_points=max_points,
            columns=columns,
            column_type=column_type,
            label=label,
            classes=None if classes is None else class_codes(classes),
        )
        self.classes = None if described.classes is None else list(described.classes)
        root = Path(root).expanduser()
        layout = {"columns": columns, "column_type": column_type, "label": label}
        place = Path(cache).expanduser() if cache is not None else root / "processed/lidar"
        self._scans = Scans(root, split, features, layout, place)
        self.paths, self.root_folder, self.split = self._scans.paths, root, split
        survey = self._scans.look(self.classes, normalize, sized=unit is None and tile is None)
        self._tiles = None if tile is None else self._scans.tiles(tile)
        half = tile if tile is not None else survey.extent if survey is not None else 0
        known = survey.moments if normalize and survey is not None else {}
        self.pipeline = replace(
            described,
            features=tuple(features),
            unit=float(unit) if unit is not None else half / 2 or 1.0,
            moments={name: known[name] for name in features if name in known},
        )
        self._told: set[str] = set()
        super().__init__(root=None, transform=transform)

    @property
    def num_classes(self) -> int:
        """Number of ``classes``; 0 if the files' codes are left as they are."""
        return 0 if self.classes is None else len(self.classes)

    @property
    def in_channels(self) -> int:
        """Columns of ``x``."""
        return self.pipeline.in_channels

    @property
    def unit(self) -> float:
        """Length in the files that is 1 in ``pos``."""
        return self.pipeline.unit

    @property
    def labels_found(self) -> str:
        """Labels of ``root/train`` with their numbers of points, and which of them are classes."""
        codes = "as they are" if self.classes is None else f"classes are {self.classes}, others have no label"
        return f"labels found: {self._scans.measure().told}; {codes}"

    def len(self) -> int:
        return len(self.paths) if self._tiles is None else len(self._tiles["frame"])

    def get(self, idx: int) -> Data:
        path, name = self._place(idx)
        frame = self._scans.read(path)
        keep = np.arange(len(frame.xyz))
        if self._tiles is not None and self.pipeline.tile is not None:
            keep = np.flatnonzero((cells(frame.xyz, self.pipeline.tile) == self._tiles["cell"][idx]).all(1))
        keep = keep[self.pipeline.thinned(frame.xyz[keep], int(digest(name), 16))]
        data = self.pipeline.sample(frame, keep)
        data.name = name
        if (farthest := float(data.pos.abs().max())) > FARTHEST:
            self._tell(
                "far",
                f"lidar: positions of {name} go to {farthest:.3g} with unit={self.unit:g}, expected about 1: kernels "
                "are made for [-1, 1]; without 'unit' it is half a tile, or half of the largest scan",
            )
        if frame.labels is None and self._scans.have_labels:  # in a batch all samples have labels, or none
            self._tell("labels", f"{path}: no labels, unlike other scans; its points get {IGNORED}, no class")
            data.y = torch.full((len(keep),), IGNORED)
        return data

    def _tell(self, what: str, message: str) -> None:
        """Warns once, not with every sample."""
        if what not in self._told:
            self._told.add(what)
            warn_caller(message)

    def _place(self, idx: int) -> tuple[Path, str]:
        if self._tiles is None:
            path, where = self.paths[idx], ""
        else:
            path = self.paths[int(self._tiles["frame"][idx])]
            where = " {:.0f},{:.0f}".format(*self._tiles["cell"][idx])
        return path, path.relative_to(self.root_folder).as_posix() + where
