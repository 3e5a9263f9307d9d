"""The square tiles of large scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.storage import exclusive, read_arrays, write_atomic
from ccnn_geo.io.scans.frames import Frame
from ccnn_geo.transforms.scan_points import cells


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
