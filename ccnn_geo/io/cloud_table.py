"""Clouds and molecules in one parquet table, a row per point; needs pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.io.target_table import TargetTable, split_unit

EXTENSION = ".parquet"
SAMPLE, SPLIT = "sample", "split"
AXES = (("pos_x", "pos_y", "pos_z"), ("x", "y", "z"))
"""Names of the positions; the first that exist are used, so ``z`` may be the kind of an atom beside ``pos_z``."""

LARGEST = 1e30


@dataclass(frozen=True, eq=False)
class CloudTable:
    """Points, sample after sample.

    Args:
        path: The file.
        names: Names of the samples, in the order in which they begin.
        splits: Split of each sample; None for a table without that column.
        offset: First point of each sample, and the total number of points at the end, ``[n + 1]``.
        pos: ``[P, D]`` float64.
        fields: Other numeric columns ``[P]`` float64 by name; NaN where a value is not known.
        units: Units of the columns that have one in brackets.
    """

    path: Path
    names: list[str]
    splits: list[str] | None
    offset: np.ndarray
    pos: np.ndarray
    fields: dict[str, np.ndarray]
    units: dict[str, str]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def rows(self, name: str) -> slice:
        """The points of a sample.

        Raises:
            ValueError: If there is no such sample.
        """
        if name not in self._places:
            raise ValueError(f"{self.path}: no sample {name!r} among {len(self.names)}")
        place = self._places[name]
        return slice(int(self.offset[place]), int(self.offset[place + 1]))

    def targets(self, wanted: Sequence[str]) -> np.ndarray:
        """Values ``[n, T]`` of columns with one value per sample.

        Raises:
            ValueError: If a column does not exist, or a sample has several values in it.
        """
        return np.stack([self._target(name) for name in wanted], axis=1)

    def target_table(self, names: Sequence[str], targets: Sequence[str]) -> TargetTable:
        """The targets of some samples.

        Args:
            names: Names of the samples.
            targets: Columns with one value per sample; the names may have a unit.

        Raises:
            ValueError: As :meth:`targets`.
        """
        wanted = [split_unit(name)[0] for name in targets]
        values = self.targets(wanted) if wanted else np.zeros((len(self.names), 0))
        units = [self.units.get(name, "") for name in wanted]
        return TargetTable(list(names), None, wanted, units, values[[self._places[name] for name in names]])

    def may_be_target(self, name: str) -> bool:
        """Whether a column has one value per sample."""
        try:
            self._target(name)
        except ValueError:
            return False
        return True

    def _target(self, name: str) -> np.ndarray:
        if name not in self.fields:
            raise ValueError(
                f"{self.path}: no target {name}, the table has {', '.join(self.fields) or 'no columns'}"
            )
        values = self.fields[name]
        first = values[self.offset[:-1]]
        same = np.repeat(first, np.diff(self.offset))
        wrong = np.flatnonzero((values != same) & ~(np.isnan(values) & np.isnan(same)))
        if len(wrong):
            sample = self.names[int(np.searchsorted(self.offset, wrong[0], side="right")) - 1]
            raise ValueError(
                f"{self.path}: the sample {sample} has several values of {name}, expected one at all its points"
            )
        return first


def read_cloud_table(path: Path) -> CloudTable:
    """Reads a table with a column ``sample``, positions, perhaps ``split``, and other numeric columns.

    A row is a point. Positions are ``pos_x``, ``pos_y``, ``pos_z``, or else ``x``, ``y``, ``z``; points in two
    dimensions lack the last one. A name may have a unit in brackets, ``energy [eV]``. Columns that are not numeric are
    skipped. The table is kept in memory for the next call, as long as its file is unchanged.

    Raises:
        ImportError: If pyarrow is not installed.
        OSError: If the file cannot be opened.
        ValueError: If the file is not such a table; the message names it.
    """
    state = path.stat()
    return _read(path, (state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=2)
def _read(path: Path, state: tuple[int, int]) -> CloudTable:
    columns = _columns(path)
    axes = next(([axis for axis in names if axis in columns] for names in AXES if names[0] in columns), [])
    if SAMPLE in columns and axes and not len(columns[SAMPLE]):
        raise ValueError(f"{path}: no rows, expected one per point")
    if SAMPLE not in columns or not axes:
        raise ValueError(
            f"{path}: the columns {', '.join(columns)[:80]}, expected {SAMPLE!r} and positions x, y, z (or pos_x, "
            "pos_y, pos_z), with one row per point"
        )
    words = columns.pop(SAMPLE).astype(str)
    known, first, sample = np.unique(words, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[sample.reshape(-1)]
    order = np.argsort(rank, kind="stable")
    names = known[np.argsort(first)].tolist()
    wrong = [name for name in names if not name or "/" in name or "\\" in name or name.startswith(".")]
    if wrong:
        raise ValueError(f"{path}: the sample name {wrong[0]!r}, expected one that a file can have")
    offset = np.concatenate([[0], np.cumsum(np.bincount(rank))])
    pos = np.stack([columns.pop(axis) for axis in axes], axis=1)[order].astype(np.float64)
    if not np.isfinite(pos).all() or np.abs(pos).max() > LARGEST:
        raise ValueError(
            f"{path}: NaN, Inf or numbers beyond {LARGEST:g} in {', '.join(axes)}, expected none"
        )
    splits = columns.pop(SPLIT, None)
    numbers = {split_unit(name): values for name, values in columns.items() if values.dtype.kind in "fiub"}
    fields = {name: values[order].astype(np.float64) for (name, _), values in numbers.items()}
    units = {name: unit for name, unit in numbers if unit}
    of_samples = None if splits is None else _of_samples(path, names, splits.astype(str)[order], offset)
    return CloudTable(path, names, of_samples, offset, pos, fields, units)


def _of_samples(path: Path, names: Sequence[str], splits: np.ndarray, offset: np.ndarray) -> list[str]:
    """The split of each sample; all its points must agree."""
    first = splits[offset[:-1]]
    other = np.flatnonzero(splits != np.repeat(first, np.diff(offset)))
    if len(other):
        place = int(np.searchsorted(offset, other[0], side="right")) - 1
        both = f"{str(first[place])!r} and {str(splits[other[0]])!r}"
        raise ValueError(
            f"{path}: the sample {names[place]} has a {SPLIT} {both}, expected one at all its points"
        )
    return list(first.tolist())


def _columns(path: Path) -> dict[str, Any]:
    """Columns by name; missing numbers are NaN."""
    with needs("parquet", str(path)):
        import pyarrow.parquet
    try:
        table = pyarrow.parquet.read_table(path)
        heads = table.column_names
        found = {name: column.to_numpy() for name, column in zip(heads, table.columns, strict=True)}
    except OSError as error:
        raise ValueError(f"{path}: damaged, expected a whole table ({error})") from error
    except Exception as error:  # damaged files raise errors of many types
        raise ValueError(f"{path}: not parquet ({type(error).__name__}), expected a parquet table") from error
    names = [split_unit(head)[0] for head in heads]
    twice = [head for head, name in zip(heads, names, strict=True) if names.count(name) > 1]
    if twice:
        raise ValueError(f"{path}: repeated columns {', '.join(twice)[:80]}, expected different names")
    whole = SAMPLE not in found or found[SAMPLE].dtype.kind != "f"
    lacking = (table[SAMPLE].null_count if SAMPLE in found else 0) if whole else np.isnan(found[SAMPLE]).sum()
    if lacking:
        raise ValueError(f"{path}: {lacking} of {len(table)} rows have no {SAMPLE}, expected one per point")
    return found
