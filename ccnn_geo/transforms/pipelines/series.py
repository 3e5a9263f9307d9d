"""From a table of observations in time to network inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ccnn_geo._base.pyg import Data
from ccnn_geo.io.csv_table import Table, read_table
from ccnn_geo.transforms._points import take_points
from ccnn_geo.transforms.pipelines.base import Pipeline


@dataclass(frozen=True)
class SeriesPipeline(Pipeline):
    r"""Prepares a series: standardised values, masks of observed values, and times on [-1, 1].

    Args:
        variables: Names of the columns, in the order used in training.
        dates: Whether times are dates.
        mean: Mean of each variable.
        std: Standard deviation of each variable.
        low: Lower bound of each variable, or None; lower values are clipped to it.
        high: Upper bound of each variable, or None; higher values are clipped to it.
        span: Length of the longest training series, which covers [-1, 1], in the unit of the times (seconds for dates).
        num_points: Points per sample, evenly spaced in order; None for all.
        separator: Separator between the cells of a file; None to detect it.
        decimal: Decimal sign; None to detect it.
        time: Name of the time column; None to detect it.
        label: Name of a label column, which the network does not see and files need not have.

    Example:
        >>> pipeline = SeriesPipeline(("wind",), mean=(3.0,), std=(2.0,), span=4.0)
        >>> pipeline(pipeline.read(([0.0, 2.0], [[5.0], [3.0]]))).x  # value and mask
        tensor([[1., 1.],
                [0., 1.]])
    """

    kind: ClassVar[str] = "series"
    extensions: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    variables: Sequence[str] = ()
    dates: bool = False
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None
    span: float = 1.0
    num_points: int | None = None
    separator: str | None = None
    decimal: str | None = None
    time: str | None = None
    label: str | None = None

    def read(self, source: str | PathLike[str] | tuple[Any, Any]) -> Table:
        """Reads a CSV file, or a pair of times ``[N]`` and values ``[N, V]``; NaN means nothing was observed."""
        if isinstance(source, (str, PathLike)):
            return read_table(Path(source), self.separator, self.decimal, self.time, self.label)
        if not (isinstance(source, tuple) and len(source) == 2):
            raise TypeError(
                f"predict: expected a path or a pair of times and values, got {type(source).__name__}"
            )
        time, values = (np.asarray(part, dtype=np.float64) for part in source)
        size = len(self.variables)
        if (
            time.ndim != 1
            or len(time) == 0
            or values.shape != (len(time), size)
            or not np.isfinite(time).all()
        ):
            raise ValueError(
                f"predict: expected finite times [N], N > 0, and values [N, {size}], got {list(time.shape)} and "
                f"{list(values.shape)}"
            )
        rows, columns = np.indices(values.shape)
        return Table(time[rows.ravel()], columns.ravel(), values.ravel(), list(self.variables), self.dates)

    def __call__(self, content: Table) -> Data:
        time, values = self.observed(content)
        data = series_points(time, self.scale(values), self.span)
        if self.num_points is None or data.num_nodes <= self.num_points:
            return data
        return take_points(data, torch.arange(self.num_points) * data.num_nodes // self.num_points)

    def observed(self, table: Table) -> tuple[np.ndarray, np.ndarray]:
        """Distinct times ``[N]`` since the first one, and the values observed then, ``[N, V]``.

        Raises:
            ValueError: If the table has other variables or another kind of times.
        """
        if table.dates != self.dates:
            kinds = ("numbers", "dates")
            raise ValueError(
                f"times are {kinds[table.dates]}, in the first training file {kinds[self.dates]}"
            )
        known = list(self.variables)
        unknown = [name for name in table.variables if name not in known]
        if unknown:
            names = ", ".join(map(repr, unknown))
            told = f"variable {names} is" if len(unknown) == 1 else f"variables {names} are"
            raise ValueError(f"the {told} not in the training files, expected some of {', '.join(known)}")
        column = np.array([known.index(name) for name in table.variables])
        time, values = merge(table.time, column[table.variable], table.value, len(known))
        return time - time[0], values

    @staticmethod
    def points_of_lines(table: Table) -> np.ndarray:
        """Index of the sample's point for each line of a file, ``[L]``; -1 for times without observations.

        Points are the distinct times of :meth:`observed`; with ``num_points=None`` a sample has all of them.
        """
        assert table.lines is not None, "of a file"
        times, wanted = np.unique(table.time), table.lines.time
        if np.isnan(table.value).all():  # a file without values consists of its times
            return np.full(len(wanted), -1)
        place = np.searchsorted(times, wanted).clip(max=len(times) - 1)
        return np.where(times[place] == wanted, place, -1)

    @cached_property
    def scale(self) -> Scale:
        """The scale of the variables."""
        size = len(self.variables)
        defaults = {"mean": 0.0, "std": 1.0, "low": -np.inf, "high": np.inf}
        columns = (getattr(self, name) for name in defaults)
        return Scale(
            *(
                np.array([default if value is None else value for value in column or [None] * size])
                for column, default in zip(columns, defaults.values(), strict=True)
            )
        )


def series_points(time: np.ndarray | Tensor, values: np.ndarray | Tensor, span: float) -> Data:
    r"""Makes points ``Data(x [N, 2V], pos [N, 1])`` from standardised values and from times since the first one.

    .. math:: p = 2 t / \mathrm{span} - 1
    """
    values, time = torch.as_tensor(values), torch.as_tensor(time)
    seen = ~values.isnan()
    return Data(
        x=torch.cat([values.nan_to_num(nan=0.0), seen.float()], dim=1),
        pos=(2 * time[:, None] / span - 1).float(),
    )


@dataclass(frozen=True, eq=False)
class Scale:
    r"""Standardises variables: :math:`(\mathrm{clip}(v, low, high) - mean) / std`, all float64 ``[V]``."""

    mean: np.ndarray
    std: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def measure(cls, values: np.ndarray, tails: float = 0.0) -> Scale:
        """Measures the scale of the values ``[P, V]`` of the training set.

        Args:
            values: The values; NaN where nothing was observed.
            tails: Share of the values at each end that counts as errors and is clipped to the rest.
        """
        rows = []
        for column in values.T:
            seen = column[~np.isnan(column)]
            if len(seen) == 0:
                rows.append((0.0, 1.0, -np.inf, np.inf))
                continue
            low, high = np.quantile(seen, (tails, 1 - tails)) if tails > 0 else (-np.inf, np.inf)
            kept = seen.clip(low, high)
            std = kept.std()
            # a constant variable carries only its mask; scaling would amplify its rounding errors
            rows.append((kept.mean(), std if std > 1e-12 * np.abs(kept).max() else 1.0, low, high))
        return cls(*np.array(rows, dtype=np.float64).reshape(-1, 4).T)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return ((values.clip(self.low, self.high) - self.mean) / self.std).astype(np.float32)


def merge(
    time: np.ndarray, variable: np.ndarray, value: np.ndarray, num_variables: int
) -> tuple[np.ndarray, np.ndarray]:
    """Merges single observations, in any order, into one row per distinct time; averages those of the same time.

    Args:
        time: Time of each observation.
        variable: Column of each observation.
        value: Value of each observation; NaN for a time at which nothing was observed.
        num_variables: Number of columns.

    Shapes:
        three times ``[M]`` -> ``time [N]`` ascending and ``values [N, num_variables]``, NaN without a value.
    """
    times, row = np.unique(time, return_inverse=True)
    seen = ~np.isnan(value)
    cell = row.reshape(-1)[seen] * num_variables + variable[seen]
    size = len(times) * num_variables
    count = np.bincount(cell, minlength=size)
    total = np.bincount(cell, weights=value[seen], minlength=size)
    values = np.full(size, np.nan)
    np.divide(total, count, out=values, where=count > 0)
    return times, values.reshape(len(times), num_variables)
