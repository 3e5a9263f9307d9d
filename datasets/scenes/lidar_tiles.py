"""The square tiles of large scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.datasets.base.conversion import Results, convert
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.scans.frames import Frame
from ccnn_geo.transforms.scan_points import cells


def tiles(
    paths: Sequence[Path], read: Callable[[Path], Frame], edge: float, target: Path
) -> dict[str, np.ndarray]:
    """Lists all tiles that have points, ``frame [T]`` and ``cell [T, 2]``; reads the scans unless ``target`` exists."""

    def tiles_of(path: Path) -> dict[str, np.ndarray]:
        return {"cell": np.unique(cells(read(path).xyz, edge), axis=0)}

    def merge(found: Results) -> None:
        listed = [scan["cell"] for scan in found.arrays("scans")]
        frames = [np.full(len(cell), number) for number, cell in enumerate(listed)]
        arrays: dict[str, Any] = {"frame": np.concatenate(frames), "cell": np.concatenate(listed)}
        write_atomic(target, partial(np.savez, **arrays))

    convert(tiles_of, (paths,), target, merge, title="LidarFrames tiles")
    return read_arrays(target, ("frame", "cell"))
