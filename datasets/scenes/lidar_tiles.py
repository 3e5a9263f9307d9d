"""Parts of large scans: square tiles, and one point in each of many cubes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.datasets.scenes.lidar_frames import Frame
from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.storage import exclusive, read_arrays, write_atomic


def tiles(
    paths: Sequence[Path], read: Callable[[Path], Frame], edge: float, target: Path
) -> dict[str, np.ndarray]:
    """All tiles that have points, ``frame [T]`` and ``cell [T, 2]``; reads the scans unless ``target`` says so."""
    with exclusive(target.parent, target.name):
        if not target.exists():
            frames, found = [], []
            for number, path in enumerate(progress(paths, title="LidarFrames tiles")):
                found.append(np.unique(cells(read(path).xyz, edge), axis=0))
                frames.append(np.full(len(found[-1]), number))
            arrays: dict[str, Any] = {"frame": np.concatenate(frames), "cell": np.concatenate(found)}
            write_atomic(target, partial(np.savez, **arrays))
    return read_arrays(target, ("frame", "cell"))


def cells(xyz: np.ndarray, edge: float) -> np.ndarray:
    """Tile of each point ``[N, 2]``, the same grid for all frames of one coordinate system."""
    return np.floor(xyz[:, :2] / edge) + 0.0  # no -0 in names


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
