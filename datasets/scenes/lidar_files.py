"""Lists the files of a folder that are scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ccnn_geo.datasets.base.class_folders import SPLITS, split_folders, tell_other_folders
from ccnn_geo.io.files.sample_files import FileKind, list_samples, tell_left_out
from ccnn_geo.io.scans.bin_labels import is_labels, label_file
from ccnn_geo.io.scans.frames import EXTENSIONS

SCANS = FileKind(
    "scans",
    tuple(extension for extension in EXTENSIONS if extension != ".npy"),
    (".label", ".txt", ".png", ".jpg", ".xml", ".prj", ".npz"),
    deep=True,
    second=(".npy",),  # beside scans of other formats these hold something else
)


def list_scans(root: Path, split: str | None) -> list[Path]:
    """Lists scans in the folder of a split and below, in the order of their names; follows links.

    Hidden files and folders are left out, and so are files of labels.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: For an unknown split, or a folder without scans.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"lidar: expected split {', '.join(SPLITS)} or None, got {split!r}")
    folder = root if split is None or not root.is_dir() else split_folders(root).get(split, root / split)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; place scans there ({' '.join(EXTENSIONS)})")
    found = list_samples(folder, SCANS)
    scans = [path for path in found.paths if not is_labels(path)]
    if not scans:
        raise ValueError(f"{folder}: no scans, expected {' '.join(EXTENSIONS)}")
    tell_left_out(folder, len(scans), {"": found.left_out}, SCANS)
    if split is not None:
        tell_other_folders(root)
    return scans


def file_states(root: Path, paths: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Names, sizes and dates of scans and of their files of labels."""
    states = []
    for path in paths:
        beside = label_file(path) if path.suffix.lower() == ".bin" else None
        for name, file in ((path.relative_to(root).as_posix(), path), (".label", beside)):
            if file is not None:
                states.append((name, (s := file.stat()).st_size, s.st_mtime_ns))
    return states
