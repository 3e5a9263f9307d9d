"""A user's own time series, irregular or not: CSV files sorted into classes, with targets, or with labels of times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo._base.pyg import Data
from ccnn_geo.datasets.base.conversion import Arrays, Results, convert, packed, unpacked
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.find_layout import Layout, find_layout, unsorted_files
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.base.layouts import Part
from ccnn_geo.datasets.base.truths import answers_of, truths_of
from ccnn_geo.datasets.series.series import STORED, Record, SeriesDataset, write_series
from ccnn_geo.datasets.series.time_labels import (
    check_label_column,
    label_classes,
    labels_of_lines,
    point_labels,
)
from ccnn_geo.io.csv_table import READING, Lines, Table, read_table
from ccnn_geo.io.files.sample_files import FileKind, stamps
from ccnn_geo.io.files.storage import read_arrays
from ccnn_geo.transforms.pipelines.series import Scale, SeriesPipeline

SERIES = FileKind("series", (".csv",), second=(".tsv",), with_targets=True)


class CSVSeries(SeriesDataset):
    r"""One series a file, in ``root/<split>/<class>/<file>.csv``; split train, validation (or val, valid, dev) or test.

    :mod:`~ccnn_geo.datasets.base.find_layout` lists other ways to sort files. With a table of targets,
    :mod:`~ccnn_geo.datasets.base.target_files`, networks learn numbers for each series. With ``label`` they learn a
    class for each time, and files lie in ``root/<split>``, or in the root. Cells are separated by commas,
    semicolons, tabs, bars or blanks, and decimals by a point or a comma. Both are found out where they are clear;
    otherwise the options give them.

    A file has a header and a column ``time``, of numbers in a unit of your own or of ISO 8601 dates, in any order.
    :func:`~ccnn_geo.io.iso_dates.seconds_of` reads dates, as UTC unless they name a zone; digits alone, such as
    20240131, are dates if all of a file make up dates from 1900 to 2099. The other columns are variables; in the
    long form there are the columns ``variable`` and ``value``, one observation a line. Empty cells, ``NA``, ``NaN``,
    ``null`` and ``?`` are missing values. Lines of the same time are one point: values of the same variable are
    averaged, and times without observations are left out. A warning counts files of other kinds, except hidden ones.

    The variables are those of the training files, in the order of first appearance. A file begins at its own
    first time, and the longest training file spans [-1, 1]; ``span`` is its length in the unit of ``time``, or in
    seconds for dates. Prepared files are used again as long as names, sizes and dates of the files stay the same.

    Args:
        root: The folder of the splits.
        split: One of the existing splits; train must exist, because it sets the scale.
        download: Not used, there is nothing to download; kept for the common interface.
        checksum: Likewise.
        separator: Separator of cells: comma, semicolon, tab, pipe, space, or the sign; by default the one
            that makes a header of the first line.
        decimal: ``.`` or ``,``; by default found from the numbers of a file. Ambiguous numbers such as 1,234 are
            refused.
        time: Name of the column of times, ``time`` by default.
        label: Name of a column of labels, words or whole numbers, that every file has; an empty cell or NaN is no
            label. Classes are the labels of the training files, at times with an observation.
        targets: Names of columns of the table of targets; None for all.
        tails: Share of a variable's training values at either end that counts as errors and is pulled in.
        cache: Folder of prepared files (default ``root/processed``).
        transform: Applied at every access; augmentation, only for training.

    Shapes:
        ``dataset[i]`` is ``Data(x [N, 2V], pos [N, 1], y [1], name)``, see
        :class:`~ccnn_geo.datasets.series.series.SeriesDataset`; with targets ``y [1, T]``, with ``label`` ``y [N]``.

    Raises:
        FileNotFoundError: If the folder or the split does not exist.
        ValueError: If a file is not as described (it is named, with the line), has variables that the training
            files lack, or has dates where these have numbers; if a class has no files, or the splits have
            different classes.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name in ("calm", "storm"):
        ...         Path(root, "train", name).mkdir(parents=True)
        ...         _ = Path(root, "train", name, "0.csv").write_text("time,wind,rain\n0,3,\n2.5,4,1\n")
        ...     CSVSeries(root)[0]
        Data(x=[2, 4], pos=[2, 1], y=[1], name='train/calm/0.csv')
    """

    info = DatasetInfo(
        name="csv_series",
        title="your own time series: <split>/<class>/<file>.csv with a column time, or targets.csv, or labels of times",
        family="series",
        in_channels=None,
        size=None,
        classes=0,
        many_files=True,
        source="your own files",
    )
    kind = SERIES

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        download: bool = True,
        checksum: str | None = "published",
        separator: str | None = None,
        decimal: str | None = None,
        time: str | None = None,
        label: str | None = None,
        targets: Sequence[str] | None = None,
        tails: float = 0.0,
        cache: str | PathLike[str] | None = None,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        if not 0 <= tails < 0.5:
            raise ValueError(f"csv_series: expected 0 <= tails < 0.5, got {tails}")
        if label is not None and targets is not None:
            raise ValueError("csv_series: expected label or targets, got both")
        root = Path(root).expanduser()
        layout = self.layout(root, {"label": label, "targets": targets})
        # train sets the scale for all splits, and the key of another split includes that of train
        parts = {name: layout.part(name) for name in dict.fromkeys(("train", split))}
        folder = Path(cache).expanduser() if cache is not None else root / "processed"
        written: dict[str, Any] = {"separator": separator, "decimal": decimal, "time": time, "label": label}
        reading = {key: value for key, value in written.items() if value is not None}
        stored, key = {}, digest(tails, READING, STORED, reading)
        for name, part in parts.items():
            names = [path.relative_to(root).as_posix() for path in part.paths]
            key = digest(key, names, stamps(part.paths), part.y.tolist())
            stored[name] = folder / f"series-{name}-{key}.npz"
        if not stored[split].exists():
            if label is not None:
                check_label_column(root, parts["train"].paths, written)
            for name, part in parts.items():  # train first
                _prepare(root, part, reading, name, stored, tails)
        self._written = written
        classes = None if label is not None else parts[split].classes
        super().__init__(stored[split], classes, transform=transform, **answers_of(parts[split]))

    @staticmethod
    def truths(root: Path, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """Returns the task of the files of a folder, and the place of the predictions."""
        return ("segmentation", "node") if arguments.get("label") else truths_of(root)

    @staticmethod
    def layout(root: Path, arguments: Mapping[str, Any]) -> Layout:
        """Finds out how the files of a folder are sorted."""
        if arguments.get("label"):
            return unsorted_files(root, SERIES)
        return find_layout(root, SERIES, arguments.get("targets"))

    @property
    def pipeline(self) -> SeriesPipeline | None:
        """Turns a file into a sample."""
        found = super().pipeline
        return None if found is None else replace(found, **self._written)


def _prepare(
    root: Path,
    part: Part,
    reading: Mapping[str, str],
    split: str,
    targets: Mapping[str, Path],
    tails: float,
) -> None:
    """Stores a split; splits other than train take variables, classes and scale from the stored train split."""

    def merge(found: Results) -> None:
        tables = [_table(arrays) for arrays in found.arrays("series")]
        classes: list[str] | None = None
        column = reading.get("label")
        files = zip(part.paths, tables, strict=True)
        labels = [] if column is None else [labels_of_lines(path, table, column) for path, table in files]
        if split == "train":
            variables = list(dict.fromkeys(name for table in tables for name in table.variables))
            pipeline = SeriesPipeline(tuple(variables), tables[0].dates)
            if column is not None:
                classes = label_classes(root, column, labels)
        else:
            known = read_arrays(targets["train"], ("variables", "dates", "scale", "span", "point_classes"))
            pipeline = SeriesPipeline(tuple(known["variables"].tolist()), bool(known["dates"]))
            classes = known["point_classes"].tolist() if column is not None else None
        records = [
            _record(root, path, y if classes is None else classes, table, pipeline)
            for path, y, table in zip(part.paths, part.y, tables, strict=True)
        ]
        if split == "train":
            scale = Scale.measure(np.concatenate([record.values for record in records]), tails)
            span = max(record.time[-1] for record in records)
        else:
            scale, span = Scale(*known["scale"]), float(known["span"])
        write_series(
            targets[split],
            records,
            scale,
            Scale.measure(np.zeros((1, 0))),
            span if span > 0 else 1.0,
            pipeline.variables,
            dates=pipeline.dates,
            point_classes=classes,
        )

    columns = (part.paths, [reading] * len(part.paths))
    convert(stored_table, columns, targets[split], merge, title=f"CSVSeries {split}")


def stored_table(path: Path, reading: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Reads a table as arrays of numbers."""
    table = read_table(path, **reading)
    found = {
        "time": table.time,
        "variable": table.variable,
        "value": table.value,
        "variables": packed(table.variables),
        "dates": np.array(table.dates),
    }
    lines = table.lines
    if lines is not None and lines.labels is not None:
        found |= {"line_time": lines.time, "labels": packed(lines.labels)}
    return found


def _table(found: Arrays) -> Table:
    lines = None
    if "labels" in found:
        lines = Lines(found["line_time"], unpacked(found["labels"]), "", "")
    return Table(
        found["time"],
        found["variable"],
        found["value"],
        unpacked(found["variables"]),
        bool(found["dates"]),
        lines,
    )


def _record(root: Path, path: Path, truth: Any, table: Table, pipeline: SeriesPipeline) -> Record:
    """Makes a series with its class or targets; if ``truth`` is a list of classes of points, with their labels."""
    try:
        times, values = pipeline.observed(table)
        if isinstance(truth, list):
            truth = point_labels(table, len(times), truth)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Record(path.relative_to(root).as_posix(), truth, times, values, np.zeros(0))
