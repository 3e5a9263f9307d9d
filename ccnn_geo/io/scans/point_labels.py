"""Labels of points: finds their column in a cloud and checks them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

IGNORED = -1
"""Label of points without a class, or with a class that was not asked for: ``cross_entropy(..., ignore_index=-1)``."""

LABELS = (
    ".label",
    "label",
    "class",
    "classification",
    "scalar_label",
    "scalar_class",
    "scalar_classification",
)
"""Names of label columns, in lower case; the first stands for a label file beside a scan."""


def label_column(path: Path, columns: Mapping[str, np.ndarray], asked: str | None = None) -> str | None:
    """The label column: the requested one, or else the only one with a name in :data:`LABELS`.

    Raises:
        ValueError: If the requested column does not exist, or several columns fit.
    """
    if asked is not None:
        if asked not in columns:
            raise ValueError(f"{path}: no label {asked!r}, expected one of {', '.join(columns) or 'none'}")
        return asked
    found = [name for name in columns if name.lower() in LABELS]
    if len(found) > 1:
        raise ValueError(
            f"{path}: labels in {' and '.join(found)}, expected one column of labels; the option 'label' selects it"
        )
    return found[0] if found else None


def whole_labels(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    """Labels of a column as int64; NaN, which marks missing labels in floats, becomes :data:`IGNORED`.

    Raises:
        ValueError: If a label is not a whole number, or too large for its type to distinguish it from the next one.
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
            f"{path}: {name} is {values[first]!s} at point {first}, expected {expected}; the same holds for "
            f"{np.count_nonzero(wrong)} of {len(values)} points"
        )
    return values.astype(np.int64)
