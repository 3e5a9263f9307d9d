"""The base of all data sets of irregular time series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ccnn_geo._base.pyg import Data
from ccnn_geo.datasets.base.labelled import LabelledDataset
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.transforms.pipelines.series import Scale, SeriesPipeline, series_points

STORED = 3
"""Version of the stored data; part of the file's name."""


@dataclass(frozen=True, eq=False)
class Record:
    """One series before it is standardised; NaN for missing values.

    Args:
        name: Name of the record.
        truth: Its class, its targets ``[T]`` float64, or the classes of its points ``[N]`` int64, -1 for none.
        time: ``[N]`` float64, ascending, since the start of the record.
        values: ``[N, V]`` float64.
        static: ``[A]`` float64, values that do not change in time.
    """

    name: str
    truth: int | np.ndarray
    time: np.ndarray
    values: np.ndarray
    static: np.ndarray


def write_series(
    target: Path,
    records: Sequence[Record],
    scale: Scale,
    static_scale: Scale,
    span: float,
    variables: Sequence[str],
    static_variables: Sequence[str] = (),
    dates: bool = False,
    point_classes: Sequence[str] | None = None,
) -> None:
    """Standardises records and writes them for :class:`SeriesDataset`; ``point_classes`` are the classes of points."""
    truths = [record.truth for record in records]
    values = np.concatenate([record.values for record in records])
    arrays: dict[str, Any] = {
        "time": np.concatenate([record.time for record in records]),
        "values": scale(values),
        "offset": np.cumsum([0] + [len(record.time) for record in records]),
        "static": static_scale(np.stack([record.static for record in records])),
        "y": np.array(truths) if point_classes is None else np.concatenate(truths),
        "point_classes": np.array(point_classes or (), dtype=np.str_),
        "name": np.array([record.name for record in records], dtype=np.str_),
        "span": np.array(span, dtype=np.float64),
        "variables": np.array(variables, dtype=np.str_),
        "static_variables": np.array(static_variables, dtype=np.str_),
        "dates": np.array(dates),
        "scale": np.stack([scale.mean, scale.std, scale.low, scale.high]),
    }
    write_atomic(target, partial(np.savez, **arrays))


_ARRAYS = (
    "time",
    "values",
    "offset",
    "static",
    "y",
    "point_classes",
    "name",
    "span",
    "variables",
    "static_variables",
    "dates",
    "scale",
)


class SeriesDataset(LabelledDataset):
    r"""Labelled series with real timestamps: one point per distinct time, kept in memory.

    The position of a point is its time since the start of the record, :math:`2 t / \mathrm{span} - 1`, so that the
    longest record of the training set spans [-1, 1]. Channels are the standardised values, 0 where a variable was
    not observed, and a mask for each, 1 where it was. A :class:`~ccnn_geo.CCNN` with ``dim=1`` takes batches
    of them as they are; with ``causal=True`` a point depends only on the past.

    Args:
        stored: File of :func:`write_series`.
        classes: Names of the classes, in the order of the labels; None if points have a class each.
        targets: Names and units of targets, in place of classes.
        static: Repeat the values that do not change in time as further channels of every point, with masks too.
        transform: Applied at every access.

    Shapes:
        ``dataset[i]`` is ``Data(x [N, 2V], pos [N, 1], y [1], name)``, with ``static`` ``x [N, 2V + 2A]``; values
        before masks. x and pos float32, y int64; points in the order of time. With targets ``y [1, T]`` is
        float32, with a class for each point it is ``[N]``, -1 for none.

    Raises:
        ValueError: If the stored file is damaged.
    """

    def __init__(
        self,
        stored: Path,
        classes: Sequence[str] | None,
        *,
        targets: tuple[Sequence[str], Sequence[str]] | None = None,
        static: bool = False,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        arrays = read_arrays(stored, _ARRAYS)
        self._time, self._values, self._static, self._y = (
            torch.from_numpy(arrays[key]) for key in ("time", "values", "static", "y")
        )
        self._offset = arrays["offset"].tolist()
        self._names = arrays["name"].tolist()
        self.processed_file, self.static, self._per_point = stored, static, classes is None
        self.classes = arrays["point_classes"].tolist() if classes is None else list(classes)
        self.target_names, self.target_units = targets or ((), ())
        self.variables: list[str] = arrays["variables"].tolist()
        self.static_variables: list[str] = arrays["static_variables"].tolist()
        self.span = float(arrays["span"])
        self.dates = bool(arrays["dates"])
        self.scale = Scale(*arrays["scale"])
        super().__init__(root=None, transform=transform)

    @property
    def pipeline(self) -> SeriesPipeline | None:
        """Turns a file into a sample; None with static values, because a file does not have them."""
        if self.static:
            return None
        scale = {
            "mean": self.scale.mean,
            "std": self.scale.std,
            "low": self.scale.low,
            "high": self.scale.high,
        }
        # an infinite bound means no bound, and JSON has a value for that
        known: dict[str, Any] = {
            name: tuple(v if np.isfinite(v) else None for v in column.tolist())
            for name, column in scale.items()
        }
        return SeriesPipeline(tuple(self.variables), self.dates, span=self.span, **known)

    @property
    def channels(self) -> list[str]:
        """Names of the columns of ``x``."""
        names = self.variables + (self.static_variables if self.static else [])
        return names + [f"{name} observed" for name in names]

    @property
    def in_channels(self) -> int:
        """Columns of ``x``."""
        return len(self.channels)

    def get(self, idx: int) -> Data:
        part = slice(self._offset[idx], self._offset[idx + 1])
        values = self._values[part]
        if self.static:
            values = torch.cat([values, self._static[idx].expand(len(values), -1)], dim=1)
        data = series_points(self._time[part], values, self.span)
        y = self._y[part if self._per_point else slice(idx, idx + 1)]
        return data.update({"y": y.float() if self.target_names else y, "name": self._names[idx]})

    def cell_labels(self) -> Iterator[Tensor]:
        """Yields the labels of the points of each sample that has them."""
        parts = (slice(self._offset[i], self._offset[i + 1]) for i in self.indices())
        return (self._y[part] for part in parts)
