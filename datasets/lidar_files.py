"""Which files of a folder are scans."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ccnn_geo.datasets.lidar_bin import is_labels, label_file
from ccnn_geo.datasets.lidar_frames import EXTENSIONS
from ccnn_geo.datasets.shape_folder import SPLITS


def list_scans(root: Path, split: str | None) -> list[Path]:
    """Scans in ``root/<split>`` and in all folders below, in the order of their names; links are followed.

    Hidden files and folders are left out, and so are files of labels.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: For another split, or a folder without scans.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"lidar: expected split {', '.join(SPLITS)} or None, got {split!r}")
    folder = root if split is None else root / split
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; place scans there ({' '.join(EXTENSIONS)})")
    found = sorted(p for p in _files(folder) if p.suffix.lower() in EXTENSIONS and not is_labels(p))
    if not found:
        raise ValueError(f"{folder}: no scans, expected {' '.join(EXTENSIONS)}")
    return found


def _files(folder: Path) -> Iterator[Path]:
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        ways = [f for f in folders if not f.startswith(".")]
        folders[:] = [
            f for f in ways if os.path.realpath(os.path.join(place, f)) not in seen
        ]  # a link may go back
        yield from (p for n in names if not n.startswith(".") and (p := Path(place) / n).is_file())


def file_states(root: Path, paths: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Names, sizes and dates of scans and of their labels."""
    states = []
    for path in paths:
        beside = label_file(path) if path.suffix.lower() == ".bin" else None
        for name, file in ((path.relative_to(root).as_posix(), path), (".label", beside)):
            if file is not None:
                states.append((name, (s := file.stat()).st_size, s.st_mtime_ns))
    return states
