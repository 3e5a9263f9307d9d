"""Labels of points: which column of a cloud holds them, and what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

IGNORED = -1
"""Label of points that have none, or none of the classes asked for: ``cross_entropy(..., ignore_index=-1)``."""

LABELS = (
    ".label",
    "label",
    "class",
    "classification",
    "scalar_label",
    "scalar_class",
    "scalar_classification",
)
"""Names, in lower case, of columns that hold labels; the first stands for a file of labels beside a scan."""


def label_column(path: Path, columns: Mapping[str, np.ndarray], asked: str | None = None) -> str | None:
    """The column that holds the labels: the one asked for, else the only one named as in :data:`LABELS`.

    Raises:
        ValueError: If the one asked for is not there, or there are several.
    """
    if asked is not None:
        if asked not in columns:
            raise ValueError(f"{path}: no label {asked!r}, expected one of {', '.join(columns) or 'none'}")
        return asked
    found = [name for name in columns if name.lower() in LABELS]
    if len(found) > 1:
        raise ValueError(
            f"{path}: labels in {' and '.join(found)}, expected one column of labels; the option 'label' names it"
        )
    return found[0] if found else None


def whole_labels(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    """Labels of a column as int64; NaN, which is how floats say that there is none, becomes :data:`IGNORED`.

    Raises:
        ValueError: If a label is no whole number, or so large that its type does not tell it from the next one.
    """
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), values.dtype.type(IGNORED), values)
        power = np.finfo(values.dtype).nmant + 1
        wrong = ~((values == np.floor(values)) & (np.abs(values) <= 2.0**power))
        expected = f"whole numbers up to 2^{power}, or NaN for none"
    else:
        wrong = values > np.iinfo(np.int64).max
        expected = "whole numbers below 2^63"
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ValueError(
            f"{path}: {name} is {values[first]!s} at point {first}, expected {expected}; so at "
            f"{np.count_nonzero(wrong)} of {len(values)} points"
        )
    return values.astype(np.int64)
