"""Finds the kind of data in a folder by the extensions of its files."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

from ccnn_geo.datasets.base.class_folders import PROCESSED
from ccnn_geo.datasets.base.label_tables import find_label_table
from ccnn_geo.datasets.base.target_files import has_targets
from ccnn_geo.datasets.checks.kinds import KINDS
from ccnn_geo.io.files.sample_files import is_hidden
from ccnn_geo.io.scans.npy_file import open_npy
from ccnn_geo.io.shapes.part_labels import labels_beside
from ccnn_geo.io.target_table import TABLE

SHARE = 0.9
"""Share of the files that one kind must have, unless the user names the kind."""

_SCANS = (".bin", ".las", ".laz")
_TABLES = (".csv", ".tsv")


def find_kind(root: Path) -> str:
    """Finds the kind of data in a folder, a key of :data:`~ccnn_geo.datasets.checks.kinds.KINDS`.

    Textures beside meshes do not count, nor do notes beside shapes. Shapes with files of labels beside them are of kind
    parts; shapes and scans with a table of targets are clouds.

    Args:
        root: The folder of the data.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If no file is of a known kind, or the files may be of two kinds.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder")
    files = _files(root)
    found = Counter(filter(None, (_kind(path) for path in files)))
    if any(path.suffix.lower() in (".obj", ".glb", ".ply") for path in files):
        del found["images"]
    if found["shapes"] and all(path.suffix.lower() == ".txt" for path in files if _kind(path) == "shapes"):
        del found["shapes"]  # notes, unless there is nothing else
    if not found and any(path.suffix.lower() == ".txt" for path in files):
        return "shapes"
    if not found:
        extensions = Counter(path.suffix.lower() or "no extension" for path in files).most_common(5)
        told = ", ".join(f"{count} of {extension}" for extension, count in extensions) or "none"
        known = "; ".join(f"{name}: {' '.join(kind.files.all_extensions)}" for name, kind in KINDS.items())
        raise ValueError(f"{root}: no files of a known kind, found {told}; expected {known}")
    (name, count), *others = found.most_common()
    if count < SHARE * found.total():
        told = ", ".join(f"{number} {kind}" for kind, number in [(name, count), *others])
        raise ValueError(f"{root}: {told}; --kind says which of them are the data")
    if name == "shapes" and any(labels_beside(path) is not None for path in files):
        return "parts"
    return "clouds" if name in ("shapes", "scenes") and has_targets(root) else name


def _files(root: Path) -> list[Path]:
    """Lists all files below a folder, except hidden and prepared ones and tables of labels and targets."""
    found = []
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = [
            n for n in folders if not is_hidden(n) and not (n == PROCESSED and Path(folder) == root)
        ]
        found += [Path(folder, name) for name in names if not is_hidden(name)]
    table = find_label_table(root)
    return [path for path in sorted(found) if path != table and path.name != TABLE]


def _kind(path: Path) -> str | None:
    extension = path.suffix.lower()
    if extension in _SCANS or (extension == ".npy" and _has_named_columns(path)):
        return "scenes"
    if extension in _TABLES:
        return "shapes" if _names_positions(path) else "series"
    return next((name for name, kind in KINDS.items() if extension in kind.files.all_extensions), None)


def _has_named_columns(path: Path) -> bool:
    """Whether an array has rows of named numbers with x, y and z; no shape is written like that."""
    try:
        return open_npy(path).rows.header.dtype.names is not None
    except (OSError, ValueError):  # its reader will report it
        return False


def _names_positions(path: Path) -> bool:
    """Whether a table is a cloud: it begins with numbers, or with a header of x, y and z."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline(1000)
    except OSError:
        return False
    cells = next(csv.reader([first.replace(";", ",").replace("\t", ",")]), [])
    words = {cell.strip().lower() for cell in cells}
    return {"x", "y", "z"} <= words or (len(cells) > 2 and not any(c.isalpha() for c in first))
