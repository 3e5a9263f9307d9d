"""Answers as rows of a table, for people and for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ccnn_geo.export.answers import Prediction
from ccnn_geo.export.predictor import Answer

Record = dict[str, Any]


def record(file: str, answer: Answer) -> Record:
    """What is kept of an answer, plain values.

    Example:
        >>> record("a.off", Prediction("cup", 0.75, {"mug": 0.25, "cup": 0.75}))["class"]
        'cup'
        >>> from ccnn_geo.export import PointPrediction
        >>> record("a.las", PointPrediction.of(torch.eye(2)[[0, 0, 1]].numpy(), ("road", "tree")))
        {'file': 'a.las', 'points': 3, 'classes': {'road': 2, 'tree': 1}}
    """
    if isinstance(answer, Prediction):
        return {
            "file": file,
            "class": answer.label,
            "probability": answer.probability,
            "probabilities": answer.probabilities,
        }
    counts = np.bincount(answer.labels.ravel(), minlength=len(answer.classes)).tolist()
    classes = dict(zip(answer.classes, counts, strict=True))
    return {"file": file, "points": int(answer.labels.size), "classes": classes}


def summary(found: Mapping[str, Any]) -> tuple[str, str]:
    """The two columns that a table for people has beside the file."""
    if "class" in found:
        return found["class"], f"{found['probability']:.3f}"
    most = sorted(found["classes"].items(), key=lambda item: -item[1])
    shares = ", ".join(f"{name} {count / found['points']:.1%}" for name, count in most if count)
    return shares, f"{found['points']} points"


def as_csv(records: Iterable[Mapping[str, Any]], classes: Sequence[str]) -> str:
    """A table with a header: file, class and probability, and the probability of each class; or counts of points."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = list(records)
    per_point = bool(rows) and "points" in rows[0]
    of_class, head = ("classes", ["points"]) if per_point else ("probabilities", ["class", "probability"])
    writer.writerow(["file", *head, *classes])
    for row in rows:
        writer.writerow(
            [row["file"], *(row[key] for key in head), *(row[of_class][name] for name in classes)]
        )
    return text.getvalue()
