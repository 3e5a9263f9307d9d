"""Clouds of a split in one file, read once from their own files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.datasets.base.conversion import Results, convert
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.layouts import Part
from ccnn_geo.datasets.clouds.cloud_tables import TableClouds, table_arrays
from ccnn_geo.io.cloud_file import Cloud, read_cloud
from ccnn_geo.io.files.sample_files import printable, stamps
from ccnn_geo.io.files.storage import exclusive, read_arrays, write_atomic

READING = 1
"""Version of the stored data; part of the stored file's name."""

_ARRAYS = ("pos", "values", "offset", "targets", "path", "names", "units")


class Stored:
    """Clouds of a split, in memory.

    Args:
        path: A file of :func:`stored_clouds`.
        columns: Names of its columns.

    Raises:
        ValueError: If it is damaged.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        arrays = read_arrays(path, _ARRAYS)
        self._pos, self._values, self._offset = arrays["pos"], arrays["values"], arrays["offset"]
        self._columns = list(columns)
        self.targets: np.ndarray = arrays["targets"]
        self.files, self.names, self.units = (arrays[key].tolist() for key in ("path", "names", "units"))

    def cloud(self, index: int) -> Cloud:
        """Returns one cloud."""
        part = slice(self._offset[index], self._offset[index + 1])
        return Cloud(self._pos[part], dict(zip(self._columns, self._values[part].T, strict=True)))

    def column(self, name: str) -> np.ndarray:
        """Returns a column of all points."""
        return self._values[:, self._columns.index(name)]

    def moments(self, name: str) -> list[float]:
        """Returns mean and standard deviation of a column; the deviation of a constant column is 1."""
        values = self.column(name)
        mean, std = float(values.mean()), float(values.std())
        return [mean, std if std > 1e-12 * abs(mean) else 1.0]

    @property
    def extent(self) -> float:
        """Longest edge of the bounding box of the largest cloud."""
        starts = self._offset[:-1]
        edges = np.maximum.reduceat(self._pos, starts) - np.minimum.reduceat(self._pos, starts)
        return float(edges.max())


def stored_clouds(
    root: Path,
    split: str,
    part: Part,
    columns: Sequence[str],
    folder: Path,
) -> Stored:
    """Reads the clouds of a split from their files, unless they are stored already.

    Args:
        root: The folder that names of files are relative to.
        split: Name for messages and for the stored file.
        part: Files, and perhaps a row of targets for each.
        columns: Columns that each file must have.
        folder: Folder of the stored file.

    Raises:
        ValueError: If a file is damaged, lacks a column, or has positions of another dimension than the first.
    """
    paths, table = part.paths, part.targets
    names = [printable(path.relative_to(root).as_posix()) for path in paths]
    targets = np.zeros((len(paths), 0)) if table is None else table.values
    about = ([], []) if table is None else (table.names, table.units)
    key = digest(
        READING, list(zip(names, stamps(paths), strict=True)), list(columns), about, targets.tobytes()
    )
    target = folder / f"clouds-{split}-{key}.npz"

    def merge(found: Results) -> None:
        read = list(found.arrays("clouds"))
        _check_dimensions(paths, [cloud["pos"] for cloud in read])
        arrays: dict[str, Any] = {
            "pos": np.concatenate([cloud["pos"] for cloud in read]),
            "values": np.concatenate([cloud["values"] for cloud in read]),
            "offset": np.cumsum([0] + [len(cloud["pos"]) for cloud in read]),
            "targets": targets,
            "path": np.array(names, dtype=np.str_),
            "names": np.array(about[0], dtype=np.str_),
            "units": np.array(about[1], dtype=np.str_),
        }
        write_atomic(target, partial(np.savez, **arrays))

    convert(stored_cloud, (paths, [columns] * len(paths)), target, merge, title=f"Clouds {split}")
    return Stored(target, columns)


def stored_table(
    source: TableClouds, split: str, targets: Sequence[str] | None, columns: Sequence[str], folder: Path
) -> Stored:
    """Reads the clouds of a split of tables, as :func:`stored_clouds` does for files.

    Args:
        source: The tables.
        split: One of their splits.
        targets: Columns with one value in each cloud; None for none.
        columns: Columns of points that are needed.
        folder: Folder of the stored file.

    Raises:
        FileNotFoundError: If the split does not exist.
        ValueError: If a table is not as described.
    """
    path = source.part(split).paths[0]
    key = digest(READING, path.name, stamps([path]), list(columns), targets)
    target = folder / f"clouds-{split}-{key}.npz"
    with exclusive(folder, target.name):
        if not target.exists():
            arrays: dict[str, Any] = table_arrays(*source.samples(split), targets, columns)
            write_atomic(target, partial(np.savez, **arrays))
    return Stored(target, columns)


def stored_cloud(path: Path, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads a file as it is stored: ``pos [N, D]`` and its columns, ``values [N, V]``."""
    cloud = read_cloud(path)
    cloud.check_columns(path, columns)
    chosen = [cloud.fields[name] for name in columns]
    values = np.stack(chosen, axis=1) if chosen else np.zeros((len(cloud.pos), 0))
    if np.isinf(values).any():
        raise ValueError(f"{path}: Inf in {', '.join(columns)}, expected numbers")
    return {"pos": cloud.pos, "values": values}


def _check_dimensions(paths: Sequence[Path], found: Sequence[np.ndarray]) -> None:
    for path, pos in zip(paths, found, strict=True):
        if pos.shape[1] != found[0].shape[1]:
            raise ValueError(
                f"{path}: positions in {pos.shape[1]} D, in {paths[0].name} in {found[0].shape[1]} D, expected the same"
            )
