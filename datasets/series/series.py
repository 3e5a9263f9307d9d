"""What all data sets of irregular time series have in common."""

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
"""Counts changes of what is stored; part of the name of the file."""


@dataclass(frozen=True, eq=False)
class Record:
    """One series, before it is standardised; NaN where nothing was observed.

    Args:
        name: What the record is called.
        truth: Its class, its targets ``[T]`` float64, or the classes of its points ``[N]`` int64, -1 for none.
        time: ``[N]`` float64, ascending, since the record began.
        values: ``[N, V]`` float64.
        static: ``[A]`` float64, what does not change in time.
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
    """Standardises records and writes what :class:`SeriesDataset` reads; ``point_classes`` are those of points."""
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

    A point's position is its time since the record began, :math:`2 t / \mathrm{span} - 1`, where the longest
    record of the training part spans [-1, 1]. Its channels are the standardised values, 0 where a variable was
    not observed, and beside each its mask, 1 where it was. A :class:`~ccnn_geo.CCNN` with ``dim=1`` takes batches
    of them as they are; with ``causal=True`` a point hears of the past alone.

    Args:
        stored: File of :func:`write_series`.
        classes: Names of the classes, in the order of the labels; None where points have a class each.
        targets: Names and units of targets, in the place of classes.
        static: Repeat what does not change in time as further channels of every point, with masks too.
        transform: Applied at every access.

    Shapes:
        ``dataset[i]`` is ``Data(x [N, 2V], pos [N, 1], y [1], name)``, with ``static`` ``x [N, 2V + 2A]``; values
        before masks. x and pos float32, y int64; the points are in the order of time. With targets ``y [1, T]`` is
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
        """What makes a sample of a file; None with what does not change in time, of which a file knows nothing."""
        if self.static:
            return None
        scale = {
            "mean": self.scale.mean,
            "std": self.scale.std,
            "low": self.scale.low,
            "high": self.scale.high,
        }
        # a bound at infinity is none, which JSON can say
        known: dict[str, Any] = {
            name: tuple(v if np.isfinite(v) else None for v in column.tolist())
            for name, column in scale.items()
        }
        return SeriesPipeline(tuple(self.variables), self.dates, span=self.span, **known)

    @property
    def channels(self) -> list[str]:
        """What the columns of ``x`` are."""
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
        """Labels of the points of each sample that has them."""
        parts = (slice(self._offset[i], self._offset[i + 1]) for i in self.indices())
        return (self._y[part] for part in parts)
