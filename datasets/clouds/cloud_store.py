"""Clouds of a split in one file, read from theirs once."""

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
"""Counts changes of what is read of a file; part of the name of what is stored."""

_ARRAYS = ("pos", "values", "offset", "targets", "path", "names", "units")


class Stored:
    """Clouds of a split, in memory.

    Args:
        path: Of a file of :func:`stored_clouds`.
        columns: Names of the columns that it holds.

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
        """One of them."""
        part = slice(self._offset[index], self._offset[index + 1])
        return Cloud(self._pos[part], dict(zip(self._columns, self._values[part].T, strict=True)))

    def column(self, name: str) -> np.ndarray:
        """A column of all points."""
        return self._values[:, self._columns.index(name)]

    def moments(self, name: str) -> list[float]:
        """Mean and deviation of a column; 1 of one that never changes."""
        values = self.column(name)
        mean, std = float(values.mean()), float(values.std())
        return [mean, std if std > 1e-12 * abs(mean) else 1.0]

    @property
    def extent(self) -> float:
        """Longest edge of the box of a cloud, of the largest one."""
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
    """The clouds of a split, read from their files unless that was done before.

    Args:
        root: From which files are named.
        split: For messages and for the name of what is stored.
        part: Files, and perhaps a row of targets for each.
        columns: That each file must have.
        folder: Where the stored file goes.

    Raises:
        ValueError: If a file is not sound, lacks a column, or has positions of another dimension than the first.
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
    """The clouds of a split of tables, as :func:`stored_clouds` has those of files.

    Args:
        source: The tables.
        split: One of theirs.
        targets: Columns with one value in each cloud; None for none.
        columns: Columns of points that are needed.
        folder: Where the stored file goes.

    Raises:
        FileNotFoundError: If there is no such split.
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
    """What is stored of a file: ``pos [N, D]`` and its columns, ``values [N, V]``."""
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
