"""Measures all scans of a set: their size, their measurements and their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.datasets.base.conversion import Arrays, Results, convert, packed, unpacked
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.scans.frames import Frame


@dataclass(frozen=True, eq=False)
class Survey:
    """Measurements of the scans of a set.

    Args:
        extent: Longest edge of the bounding box of the largest scan.
        moments: Mean and deviation of each measurement, over all points that have it; NaN if one of them is NaN.
        labels: Number of points of each label.
    """

    extent: float
    moments: Mapping[str, tuple[float, float]]
    labels: Mapping[int, int]

    def check_classes(self, folder: Path, classes: Sequence[int], all_of_them: bool) -> None:
        """Refuses missing classes.

        Raises:
            ValueError: If there are no labels, or a class has no points; with ``all_of_them=False``, if all have none.
        """
        absent = [code for code in classes if code not in self.labels]
        if absent and (all_of_them or len(absent) == len(classes)):
            raise ValueError(
                f"{folder}: no points of class {', '.join(map(str, absent))}, expected some of each of classes "
                f"{list(classes)}; labels found: {self.told}"
            )

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Lists the given measurements that are NaN at a point."""
        return [name for name in names if not np.isfinite(self.moments.get(name, 0.0)).all()]

    @property
    def told(self) -> str:
        """Labels with their numbers of points."""
        found = [f"{code} ({count:,} points)" for code, count in sorted(self.labels.items())]
        return (
            ", ".join(found)
            or "none (the option 'label' names a column; those of .bin scans are .label files)"
        )


def survey(paths: Sequence[Path], read: Callable[[Path], Frame], target: Path) -> Survey:
    """Measures all scans, unless ``target`` holds the result."""

    def merge(found: Results) -> None:
        write_atomic(target, partial(np.savez, **_joined_all(found.arrays("scans"))))

    convert(lambda path: _measure(read(path)), (paths,), target, merge, title="LidarFrames survey")
    stored = read_arrays(target, ("extent", "names", "mean", "std", "codes", "counts"))
    pairs = zip(stored["mean"].tolist(), stored["std"].tolist(), strict=True)
    return Survey(
        float(stored["extent"]),
        dict(zip(stored["names"].tolist(), pairs, strict=True)),
        dict(zip(stored["codes"].tolist(), stored["counts"].tolist(), strict=True)),
    )


def _measure(frame: Frame) -> dict[str, np.ndarray]:
    """Measures one scan: extent, count, mean and sum of squared deviations of measurements, points of each label."""
    sums = []
    for values in frame.fields.values():
        column = values.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # from measurements that nobody needs
            sums.append([len(column), column.mean(), np.square(column - column.mean()).sum()])
    labels = np.zeros(0, np.int64) if frame.labels is None else frame.labels
    codes, counts = np.unique(labels, return_counts=True)
    return {
        "extent": np.array(np.ptp(frame.xyz, axis=0).max(), dtype=np.float64),
        "names": packed(frame.fields),
        "sums": np.array(sums, dtype=np.float64).reshape(-1, 3),
        "codes": codes.astype(np.int64),
        "counts": counts.astype(np.int64),
    }


def _joined_all(scans: Iterable[Arrays]) -> dict[str, Any]:
    extent, labels = 0.0, dict[int, int]()
    sums: dict[str, np.ndarray] = {}
    for scan in scans:
        extent = max(extent, float(scan["extent"]))
        for name, part in zip(unpacked(scan["names"]), scan["sums"], strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                sums[name] = _joined(sums[name], part) if name in sums else part
        for code, count in zip(scan["codes"].tolist(), scan["counts"].tolist(), strict=True):
            labels[code] = labels.get(code, 0) + count
    return {
        "extent": np.array(extent),
        "names": np.array(list(sums), dtype=np.str_),
        "mean": np.array([mean for _, mean, _ in sums.values()], dtype=np.float64),
        "std": np.array([np.sqrt(square / count) for count, _, square in sums.values()], dtype=np.float64),
        "codes": np.array(list(labels), dtype=np.int64),
        "counts": np.array(list(labels.values()), dtype=np.int64),
    }


def _joined(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Count, mean and sum of squared deviations of two samples together.

    Source: Chan, Golub and LeVeque (1983).
    """
    count, step = a[0] + b[0], b[1] - a[1]
    return np.array([count, a[1] + step * b[0] / count, a[2] + b[2] + step**2 * a[0] * b[0] / count])
