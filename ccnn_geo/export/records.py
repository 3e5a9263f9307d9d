"""Predictions as rows of a table, for people and for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ccnn_geo.export.answers import Answer, PointPrediction, Prediction
from ccnn_geo.io.files.sample_files import printable
from ccnn_geo.nn.part_groups import SIGN, category_of_classes

Record = dict[str, Any]


def record(file: str, answer: Answer) -> Record:
    """The record of a prediction, plain values: for points the counts of each class, or the mean of each value.

    Example:
        >>> record("a.off", Prediction("cup", 0.75, {"mug": 0.25, "cup": 0.75}))["class"]
        'cup'
        >>> from ccnn_geo.export import PointPrediction, ValuePrediction
        >>> record("a.las", PointPrediction.of(torch.eye(2)[[0, 0, 1]].numpy(), ("road", "tree")))
        {'file': 'a.las', 'points': 3, 'classes': {'road': 2, 'tree': 1}}
        >>> record("a.npz", ValuePrediction({"energy": -417.0}, {"energy": "kcal/mol"}))
        {'file': 'a.npz', 'values': {'energy': -417.0}, 'units': {'energy': 'kcal/mol'}}
    """
    if isinstance(answer, Prediction):
        about = {"class": answer.label, "probability": answer.probability}
        return {"file": file, **about, "probabilities": answer.probabilities}
    if isinstance(answer, PointPrediction):
        counts = np.bincount(answer.labels[answer.labels >= 0].ravel(), minlength=len(answer.classes))
        classes = dict(zip(answer.classes, counts.tolist(), strict=True))
        told: Record = {"file": file, "points": int(answer.labels.size)}
        if answer.elements != "points":
            told["elements"] = answer.elements
        if category_of_classes(answer.classes) is not None:  # of a single category
            told["category"] = answer.classes[int(counts.argmax())].rpartition(SIGN)[0]
        return {**told, "classes": classes}
    per_point = {name: v for name, v in answer.values.items() if isinstance(v, np.ndarray)}
    found: Record = {"file": file}
    if per_point:
        found["points"] = int(next(iter(per_point.values())).size)
    values = {name: float(np.mean(value)) for name, value in answer.values.items()}
    return {**found, "values": values, "units": dict(answer.units)}


def summary(found: Mapping[str, Any]) -> tuple[str, str]:
    """The two columns beside the file in the printed table."""
    if "class" in found:
        return found["class"], f"{found['probability']:.3f}"
    points = f"{found['points']} {found.get('elements', 'points')}" if "points" in found else ""
    if "values" in found:
        units = found["units"]
        return ", ".join(
            f"{name} {value:.6g} {units[name]}".strip() for name, value in found["values"].items()
        ), points
    most = sorted(found["classes"].items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count / found['points']:.1%}" for name, count in most if count), points


def as_csv(records: Iterable[Mapping[str, Any]]) -> str:
    r"""A table with a header: file, class and probability of each; counts of points; or values with their units.

    Bytes of a name that are not UTF-8 are written as in JSON, ``\udcff``.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = list(records)
    if not rows:
        return "file\n"
    first = rows[0]
    head = [key for key in ("class", "probability", "points", "category") if key in first]
    part = next(key for key in ("probabilities", "classes", "values") if key in first)
    units = first.get("units", {})
    writer.writerow(["file", *head, *(f"{n} [{units[n]}]" if units.get(n) else n for n in first[part])])
    for row in rows:
        writer.writerow([printable(row["file"]), *(row[key] for key in head), *row[part].values()])
    return text.getvalue()
