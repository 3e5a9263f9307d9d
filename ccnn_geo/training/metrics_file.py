"""The text of ``metrics.csv``: a row per epoch. No training is needed to read one."""

from __future__ import annotations

import csv
import io
from pathlib import Path


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Rows of a metrics file; none if it does not exist."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def to_csv(rows: list[dict[str, str]]) -> str:
    """The text of rows, with the columns of all of them; a row without a value leaves it empty.

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
