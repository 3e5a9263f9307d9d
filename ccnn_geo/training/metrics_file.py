"""Reads and writes ``metrics.csv``, a row per epoch, without the training code."""

from __future__ import annotations

import csv
import io
from pathlib import Path


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Rows of a metrics file; empty if it does not exist.

    Raises:
        ValueError: If it is damaged.
    """
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        try:
            [int(row["epoch"]), *(float(value) for value in row.values() if value)]
        except (KeyError, TypeError, ValueError) as error:
            found = ",".join(str(value) for value in row.values())
            raise ValueError(f"{path}: damaged, row {found[:60]!r}, expected numbers and an epoch") from error
    return rows


def to_csv(rows: list[dict[str, str]]) -> str:
    """Rows as text, with the columns of all of them; missing values are empty.

    Example:
        >>> print(to_csv([{"epoch": "1"}, {"epoch": "2", "val_loss": "0.5"}]), end="")
        epoch,val_loss
        1,
        2,0.5
    """
    columns = dict.fromkeys(key for row in rows for key in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
