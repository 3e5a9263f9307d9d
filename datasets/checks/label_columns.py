"""Finds columns of time series tables that may hold a class for each time."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ccnn_geo.datasets.base.class_folders import split_folders
from ccnn_geo.io.csv_header import TIME, read_named_rows
from ccnn_geo.io.csv_table import MISSING
from ccnn_geo.io.files.left_out import list_names
from ccnn_geo.io.files.sample_files import is_hidden
from ccnn_geo.io.iso_dates import number_of

MOST_LABELS = 30
"""Most different words or whole numbers in a column of labels."""

LINES_A_LABEL = 2
"""Fewest lines per label in a file, on average; notes and line numbers appear once each."""

MOST_FILES = 20
"""Most tables to look at."""

_LONG = {TIME, "variable", "value"}


def label_columns(root: Path, extensions: Iterable[str], options: Mapping[str, Any]) -> list[str]:
    """Finds columns of words, then of few whole numbers, in tables that lie outside folders of classes.

    Args:
        root: The folder of the data.
        extensions: Extensions of the tables.
        options: Options of the data set: ``separator`` and ``time`` describe the tables.

    Returns:
        Names of the columns; none if a table lies deeper than in ``root/<split>``, or cannot be read.
    """
    folders = split_folders(root).values() or [root]
    paths = [path for folder in folders for path in _tables(folder, extensions)]
    cells: dict[str, list[list[str]]] = {}
    try:
        for path in islice(paths, MOST_FILES):
            for name, column in _columns(path, options).items():
                cells.setdefault(name, []).append(column)
    except (OSError, ValueError):  # the data set reports it
        return []
    words = [name for name, columns in cells.items() if _may_be_labels(columns, words=True)]
    return words + [name for name, columns in cells.items() if _may_be_labels(columns, words=False)]


def label_hint(root: Path, extensions: Iterable[str], options: Mapping[str, Any]) -> str:
    """Returns a hint on columns that may be labels, to append to a problem; empty if there are none."""
    names = label_columns(root, extensions, options)
    if not names:
        return ""
    columns = f"the column{'s' * (len(names) > 1)} {list_names(names)}"
    return f"; {columns} may hold a class for each time: --option {shlex.quote(f'label={names[0]}')}"


def _tables(folder: Path, extensions: Iterable[str]) -> list[Path]:
    ends = tuple(extensions)
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in ends and path.is_file() and not is_hidden(path.name)
    ]


def _columns(path: Path, options: Mapping[str, Any]) -> dict[str, list[str]]:
    """Cells with content, by name of the column, without the column of times."""
    header, lines, _ = read_named_rows(path, options.get("separator"), options.get("time"))
    if set(header) == _LONG:
        return {}
    columns = {name: [line[i].strip() for _, line in lines if i < len(line)] for i, name in enumerate(header)}
    return {
        name: [cell for cell in column if cell.lower() not in MISSING]
        for name, column in columns.items()
        if name != TIME
    }


def _may_be_labels(columns: Sequence[Sequence[str]], words: bool) -> bool:
    """Whether the cells of some files are two or more repeated labels: some words, or all whole numbers."""
    found = {cell for column in columns for cell in column}
    in_files = sum(len(set(column)) for column in columns)
    if not 2 <= len(found) <= MOST_LABELS or sum(map(len, columns)) < LINES_A_LABEL * in_files:
        return False
    if words:
        return any(math.isnan(number_of(cell.replace(",", "."))) for cell in found)
    return all(cell.isdecimal() for cell in found)
