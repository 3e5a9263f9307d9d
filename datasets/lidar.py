"""Laser scans for tasks with a label per point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data, Dataset

from ccnn_geo.datasets.info import DatasetInfo
from ccnn_geo.datasets.lidar_frames import EXTENSIONS, Frame, read_frame
from ccnn_geo.datasets.processing import digest
from ccnn_geo.datasets.progress import progress
from ccnn_geo.datasets.shape_folder import SPLITS
from ccnn_geo.datasets.storage import exclusive, read_arrays, write_atomic

COORDINATES = ("x", "y", "z")
IGNORED = -1
"""Label of points whose class is none of those asked for: ``cross_entropy(..., ignore_index=-1)``."""


class LidarFrames(Dataset):
    """Scans in ``root/<split>``, in folders of their own or not: ``.bin`` (KITTI), ``.las`` and ``.ply``.

    Files are read at every access; the last one is kept, so that the tiles of a frame are cheapest in their order.
    A frame of 100,000 points is made bearable by ``voxel``, which evens out the density, by ``tile``, which makes
    several samples of it, and by ``max_points``; in this order, tiles first. What remains of ``max_points`` is the
    same at every access: for other points in every epoch use ``transform=RandomSubset(n)`` instead.

    Args:
        root: The folder of the splits, or of the files themselves.
        split: "train", "validation" or "test"; None for files that lie in ``root``.
        download: There is nothing to download; kept for the common interface.
        checksum: Likewise.
        features: Columns of ``x``, see :func:`~ccnn_geo.datasets.lidar_frames.read_frame`: ``intensity`` of BIN and
            LAS, in LAS also ``return_number``, ``num_returns``, ``red``, ``green``, ``blue``, in PLY any property; and
            what every file has, ``constant`` (1) and ``x``, ``y``, ``z`` of ``pos``.
        classes: Codes of the files that are the classes 0, 1 and so on; points of others get the label -1. None
            leaves the codes as they are.
        tile: Edge of square tiles in x and y, in units of the file; empty ones are left out.
        voxel: Edge of cubes of which one point remains, the one nearest to the centre.
        max_points: Points that remain at most, chosen at random.
        unit: Units of the file that are 1 in ``pos``. Kernels are made for positions on [-1, 1]: half of a tile's
            or of the frames' extent, the same for all frames.
        cache: Where the list of tiles goes (default ``root/processed/lidar``).
        transform: Applied at every access; augmentation, only for training.

    Shapes:
        ``dataset[i]`` is ``Data(pos [N, 3], x [N, F], y [N], origin [1, 3], name)``; pos and x float32, y int64 and
        only where the file has labels. ``pos * unit + origin`` are the file's coordinates; origin float64.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: For an argument out of range, a folder without scans, a file that cannot be read (at access, or
            at once with ``tile``), or a feature that a file lacks.
    """

    info = DatasetInfo(
        name="lidar",
        title="your own laser scans (.bin .las .ply), a label per point",
        family="scene",
        in_channels=None,
        size=None,
        classes=0,
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
        tile: float | None = None,
        voxel: float | None = None,
        max_points: int | None = None,
        unit: float = 1.0,
        cache: str | PathLike[str] | None = None,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        sizes = {"tile": tile, "voxel": voxel, "max_points": max_points, "unit": unit}
        wrong = {name: value for name, value in sizes.items() if value is not None and not value > 0}
        if wrong:
            raise ValueError(f"lidar: expected numbers above 0, got {wrong}")
        if isinstance(features, str) or not features:
            raise ValueError(f"lidar: expected features to be a list of names, got {features!r}")
        root = Path(root).expanduser()
        self.paths = _list(root, split)
        self.root_folder, self.features = root, tuple(features)
        self.classes = None if classes is None else [int(code) for code in classes]
        self.tile, self.voxel, self.max_points, self.unit = tile, voxel, max_points, float(unit)
        self._last: tuple[Path, Frame] | None = None
        self._tiles: dict[str, np.ndarray] | None = None
        if tile is not None:
            self._tiles = self._list_tiles(
                Path(cache) if cache is not None else root / "processed/lidar", split
            )
        super().__init__(root=None, transform=transform)

    @property
    def num_classes(self) -> int:
        """Number of ``classes``; 0 if the files' codes are left as they are."""
        return 0 if self.classes is None else len(self.classes)

    @property
    def in_channels(self) -> int:
        """Columns of ``x``."""
        return len(self.features)

    def len(self) -> int:
        return len(self.paths) if self._tiles is None else len(self._tiles["frame"])

    def get(self, idx: int) -> Data:
        path, name = self._place(idx)
        frame = self._read(path)
        keep = np.arange(len(frame.xyz))
        if self._tiles is not None and self.tile is not None:
            keep = np.flatnonzero((_cells(frame.xyz, self.tile) == self._tiles["cell"][idx]).all(1))
        if self.voxel is not None:
            keep = keep[thin(frame.xyz[keep], self.voxel)]
        if self.max_points is not None and len(keep) > self.max_points:
            rng = np.random.default_rng(int(digest(name), 16))
            keep = np.sort(rng.choice(keep, self.max_points, replace=False))
        return self._sample(path, name, frame, keep)

    def _sample(self, path: Path, name: str, frame: Frame, keep: np.ndarray) -> Data:
        xyz = frame.xyz[keep]
        origin = (xyz.min(0) + xyz.max(0)) / 2  # in float64: large coordinates keep their detail
        pos = (xyz - origin) / self.unit
        known = {"constant": np.ones(len(pos)), **dict(zip(COORDINATES, pos.T, strict=True))}
        known |= {field: values[keep] for field, values in frame.fields.items()}
        lacking = [feature for feature in self.features if feature not in known]
        if lacking:
            raise ValueError(
                f"{path}: no {', '.join(lacking)}, the file has {', '.join(frame.fields) or 'nothing measured'}; "
                f"features may be some of {', '.join(known)}"
            )
        x = np.stack([known[feature] for feature in self.features], axis=1)
        data = Data(
            x=torch.from_numpy(x.astype(np.float32)),
            pos=torch.from_numpy(pos.astype(np.float32)),
            origin=torch.from_numpy(origin[None]),
            name=name,
        )
        if frame.labels is not None:
            data.y = torch.from_numpy(self._labels(frame.labels[keep]))
        return data

    def _labels(self, codes: np.ndarray) -> np.ndarray:
        if self.classes is None:
            return codes
        hit = codes[:, None] == np.array(self.classes)
        return np.where(hit.any(1), hit.argmax(1), IGNORED)

    def _place(self, idx: int) -> tuple[Path, str]:
        if self._tiles is None:
            path, where = self.paths[idx], ""
        else:
            path = self.paths[int(self._tiles["frame"][idx])]
            where = " {:.0f},{:.0f}".format(*self._tiles["cell"][idx])
        return path, path.relative_to(self.root_folder).as_posix() + where

    def _read(self, path: Path) -> Frame:
        if self._last is None or self._last[0] != path:
            self._last = path, read_frame(path)
        return self._last[1]

    def _list_tiles(self, folder: Path, split: str | None) -> dict[str, np.ndarray]:
        stats = [
            (p.relative_to(self.root_folder).as_posix(), (s := p.stat()).st_size, s.st_mtime_ns)
            for p in self.paths
        ]
        edge = self.tile
        assert edge is not None
        target = folder / f"tiles-{split or 'all'}-{digest(stats, self.tile)}.npz"
        with exclusive(folder, target.name):
            if not target.exists():
                frames, cells = [], []
                for number, path in enumerate(progress(self.paths, title="LidarFrames tiles")):
                    found = np.unique(_cells(read_frame(path).xyz, edge), axis=0)
                    cells.append(found)
                    frames.append(np.full(len(found), number))
                arrays: dict[str, Any] = {"frame": np.concatenate(frames), "cell": np.concatenate(cells)}
                write_atomic(target, partial(np.savez, **arrays))
        return read_arrays(target, ("frame", "cell"))


def thin(xyz: np.ndarray, edge: float) -> np.ndarray:
    """Indices, ascending, of one point in each occupied cube: that nearest to its centre.

    Shapes:
        ``xyz [N, 3]`` -> ``[M]``, M <= N.
    """
    cell = np.floor(xyz / edge)
    distance = ((xyz / edge - cell - 0.5) ** 2).sum(1)
    order = np.lexsort((distance, *cell.T))
    ordered = cell[order]
    first = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(1)])
    return np.sort(order[first])


def _cells(xyz: np.ndarray, edge: float) -> np.ndarray:
    """Tile of each point ``[N, 2]``, the same grid for all frames of one coordinate system."""
    return np.floor(xyz[:, :2] / edge) + 0.0  # no -0 in names


def _list(root: Path, split: str | None) -> list[Path]:
    if split is not None and split not in SPLITS:
        raise ValueError(f"lidar: expected split {', '.join(SPLITS)} or None, got {split!r}")
    folder = root if split is None else root / split
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; place scans there ({' '.join(EXTENSIONS)})")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file())
    found = [p for p in found if not any(part.startswith(".") for part in p.relative_to(root).parts)]
    if not found:
        raise ValueError(f"{folder}: no scans, expected {' '.join(EXTENSIONS)}")
    return found
