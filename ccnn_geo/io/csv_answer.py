"""Adds columns to a table."""

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
    r"""Copies the lines of a table and appends a cell for each new column; writes all or nothing.

    Args:
        path: The table.
        target: The new table.
        separator: The sign between cells, in both tables.
        decimal: The decimal sign of both tables.
        columns: Words or numbers by name, one for each line below the header that is not empty; None for an empty
            cell. Names that exist already get a ``_2``.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If the number of values differs from the number of lines.

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
        raise ValueError(f"{path}: {len(lines)} lines, expected one for each prediction")
    empty = "NA" if separator == " " else ""  # several spaces count as one

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
