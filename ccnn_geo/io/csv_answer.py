"""A table with more columns than it came with."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from ccnn_geo.io.csv_format import read_rows
from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.io.scans.write import free_names


def write_columns(
    path: Path,
    target: Path,
    separator: str,
    decimal: str,
    columns: Mapping[str, Sequence[str | float | None]],
) -> None:
    r"""Writes the lines of a table as they are, with a cell of each new column behind them; complete or not at all.

    Args:
        path: The table.
        target: The new one.
        separator: What stands between cells of both.
        decimal: The decimal sign of both.
        columns: Words or numbers by name, for each line below the header that is not empty; None for an empty cell.
            Names that are there already get a ``_2``.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If there are not as many lines.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.csv").write_text("time;x\n0;1,5\n1;2\n")
        ...     new = {"predicted": ["up", None], "probability": [0.5, None]}
        ...     write_columns(Path(folder, "a.csv"), Path(folder, "b.csv"), ";", ",", new)
        ...     print(Path(folder, "b.csv").read_text())
        time;x;predicted;probability
        0;1,5;up;0,5000
        1;2;;
        <BLANKLINE>
    """
    rows = [cells for _, cells in read_rows(path, separator)]
    header, lines = rows[0], rows[1:]
    if any(len(values) != len(lines) for values in columns.values()):
        raise ValueError(f"{path}: {len(lines)} lines, expected as many as there are answers")
    empty = "NA" if separator == " " else ""  # several blanks are one

    def cell(value: str | float | None) -> str:
        if isinstance(value, float):
            return f"{value:.4f}".replace(".", decimal)
        return empty if value is None else value

    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow([*header, *free_names([name.strip() for name in header], list(columns))])
    for i, cells in enumerate(lines):
        writer.writerow([*cells, *(cell(values[i]) for values in columns.values())])
    write_atomic(target, lambda file: file.write(text.getvalue().encode()))
