"""Labels of ``.bin`` scans, which lie in separate files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ccnn_geo.io.files.row_file import read_numbers


def is_labels(path: Path) -> bool:
    """Whether a file holds labels of nuScenes, one byte each, judging by its name."""
    return path.name.lower().endswith("_lidarseg.bin")


def label_file(path: Path) -> Path | None:
    """SemanticKITTI's labels of a scan: ``<frame>.label`` beside it, or in ``labels`` beside its folder or beside it.

    For a link, searches the folders around the link, then those around its target.
    """
    for place in dict.fromkeys(
        (Path(os.path.abspath(path)), path.parent.resolve() / path.name, path.resolve())
    ):
        name, folder = f"{place.stem}.label", place.parent
        for found in (folder / name, folder.parent / "labels" / name, folder / "labels" / name):
            if found.is_file():
                return found
    return None


def read_labels(path: Path, points: int, start: int = 0, count: int = -1) -> np.ndarray | None:
    """Reads the labels of a scan, the lower 16 bits of SemanticKITTI's; None if it has none.

    Args:
        path: The scan.
        points: Number of points in the scan.
        start: The first point to read.
        count: Number of labels; -1 for all from there on.

    Raises:
        ValueError: If the number of labels differs from that of points, or the file has become shorter.
    """
    found = label_file(path)
    if found is None:
        return None
    if found.stat().st_size != 4 * points:
        raise ValueError(
            f"{found}: {found.stat().st_size} bytes, expected 4 for each of {points} points of {path.name}"
        )
    labels = read_numbers(found, np.dtype("<u4"), points - start if count < 0 else count, 4 * start)
    return (labels & 0xFFFF).astype(np.int64)  # the upper bits number the object
