"""A class for each time of a series, from a column of its file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.io.csv_header import TIME, read_named_rows
from ccnn_geo.io.csv_table import Table
from ccnn_geo.io.files.left_out import list_names
from ccnn_geo.io.iso_dates import number_of
from ccnn_geo.transforms.pipelines.series import SeriesPipeline


def check_label_column(root: Path, paths: Iterable[Path], options: Mapping[str, Any]) -> None:
    """Refuses files without the column of labels, before words in another column count as bad numbers.

    Args:
        root: The folder, for the message.
        paths: The files; reading stops at the first that has the column, or cannot be read.
        options: Options of the data set: ``label``, ``separator`` and ``time``.

    Raises:
        ValueError: If no file has the column.
    """
    label, found = options["label"], dict[str, None]()
    if label == TIME or label.strip().lower() == (options.get("time") or TIME).strip().lower():
        return  # its reader refuses it
    for path in paths:
        try:
            header, _, _ = read_named_rows(path, options.get("separator"), options.get("time"))
        except (OSError, ValueError):  # its reader reports it
            return
        if label in header:
            return
        found |= dict.fromkeys(name for name in header if name != TIME)
    if found:
        raise ValueError(
            f"{root}: no column {label!r} (option label), the columns are {list_names(list(found), 10)}"
        )


def labels_of_lines(path: Path, table: Table, column: str) -> list[str]:
    """Returns the label of each line with an observation, an empty string for none.

    Raises:
        ValueError: If the file has no such column, or a label is a number that is not whole.
    """
    if table.lines is None or table.lines.labels is None:
        raise ValueError(
            f"{path}: no column {column!r}, expected one with labels; found {', '.join(table.variables)}"
        )
    for label in table.lines.labels:
        number = number_of(label.replace(",", "."))
        if math.isfinite(number) and not number.is_integer():
            raise ValueError(f"{path}: the label {label!r}, expected a word or a whole number")
    points = SeriesPipeline.points_of_lines(table)
    return [label for label, point in zip(table.lines.labels, points, strict=True) if point >= 0]


def label_classes(root: Path, column: str, labels: Iterable[Sequence[str]]) -> list[str]:
    """Lists the labels in files in order, whole numbers by value.

    Args:
        root: The folder, for the message.
        column: The column of labels, likewise.
        labels: Labels of each file, from :func:`labels_of_lines`.

    Raises:
        ValueError: If there are no labels.
    """
    found = set().union(*labels) - {""}
    if not found:
        raise ValueError(f"{root}: no label in the column {column!r} of any file, expected some")
    return sorted(found, key=int if all(label.isdecimal() for label in found) else None)


def point_labels(table: Table, num_points: int, classes: Sequence[str]) -> np.ndarray:
    """Returns the class of each distinct time with an observation, ``[N]`` int64; -1 for none.

    Raises:
        ValueError: For an unknown class, or several labels at one time.
    """
    labels = np.full(num_points, -1, dtype=np.int64)
    written = None if table.lines is None else table.lines.labels
    known = {name: i for i, name in enumerate(classes)}
    for point, label in zip(SeriesPipeline.points_of_lines(table), written or (), strict=False):
        if label == "" or point < 0:
            continue
        if label not in known:
            raise ValueError(
                f"the label {label!r} is not in the training files, expected one of {', '.join(classes)}"
            )
        if labels[point] not in (-1, known[label]):
            raise ValueError(f"the labels {classes[labels[point]]!r} and {label!r} at one time, expected one")
        labels[point] = known[label]
    return labels
