"""Answers to each point as files: a scan in the format that it came in, others as arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.export.answers import Answer, PointPrediction, ValuePrediction
from ccnn_geo.export.predictor import Predictor
from ccnn_geo.export.scenes.answer import label_scene
from ccnn_geo.io.csv_answer import write_columns
from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.io.image import write_mask
from ccnn_geo.transforms.pipelines.images import ImagePipeline
from ccnn_geo.transforms.pipelines.scans import ScanPipeline
from ccnn_geo.transforms.pipelines.series import SeriesPipeline


def places(files: Sequence[str], folder: Path) -> dict[str, Path]:
    """Where the answer to each file goes: below the folder as it lies below what all files have in common.

    Example:
        >>> {file: str(place) for file, place in places(["a/1.las", "a/b/1.las"], Path("out")).items()}
        {'a/1.las': 'out/1.las', 'a/b/1.las': 'out/b/1.las'}
    """
    absolute = {file: os.path.abspath(file) for file in files}
    top = os.path.commonpath([os.path.dirname(path) for path in absolute.values()])
    return {file: folder / os.path.relpath(path, top) for file, path in absolute.items()}


def label_file(
    model: Predictor, file: str, target: Path, rotations: int = 1, subsets: int = 1
) -> PointPrediction:
    """Writes a scan with a class and its probability for each point, see :func:`~ccnn_geo.export.label_scene`.

    A ``.bin`` scan, whose columns have no names, becomes a ``.ply``.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If the scan is not sound, or lacks a feature.
    """
    assert isinstance(model.pipeline, ScanPipeline), "of scans"
    target = target.with_suffix(".ply") if target.suffix.lower() == ".bin" else target
    found = label_scene(model.network, model.pipeline, file, target, rotations=rotations, subsets=subsets)
    return PointPrediction(found.index, found.probability, model.classes)


def write_points(model: Predictor, file: str, answer: Answer, target: Path) -> None:
    """Writes the answers to the points, cells or time steps of a file.

    Labels of a series become a table: the lines of the file with ``predicted`` and ``probability`` behind them, empty
    where nothing was observed. Labels of an image become a PNG, with the numbers of the masks of the training. All but
    series get an ``.npz``: ``label`` (the place of the class among ``classes``), ``probability`` and ``classes``, or a
    value by name of each target.

    Args:
        model: That answered.
        file: What was asked.
        answer: To it.
        target: Where the answer goes; the extension is another one where it must be.

    Raises:
        OSError: If a file cannot be read or written.
    """
    if isinstance(answer, PointPrediction) and isinstance(model.pipeline, SeriesPipeline):
        _write_series(model.pipeline, file, answer, target)
        return
    if isinstance(answer, PointPrediction) and isinstance(model.pipeline, ImagePipeline):
        codes = np.array(model.pipeline.codes or range(len(answer.classes)), np.uint8)
        write_mask(target.with_suffix(".png"), codes[answer.labels])
    _write_arrays(answer, target)


def _write_series(pipeline: SeriesPipeline, file: str, answer: PointPrediction, target: Path) -> None:
    table = pipeline.read(file)
    assert table.lines is not None, "of a file"
    places = pipeline.points_of_lines(table).tolist()
    columns: dict[str, list[Any]] = {
        "predicted": [None if i < 0 else answer.classes[answer.labels[i]] for i in places],
        "probability": [None if i < 0 else float(answer.probability[i]) for i in places],
    }
    write_columns(Path(file), target, table.lines.separator, table.lines.decimal, columns)


def _write_arrays(answer: Answer, target: Path) -> None:
    arrays: dict[str, Any] = {}
    if isinstance(answer, PointPrediction):
        arrays = {
            "label": answer.labels,
            "probability": answer.probability,
            "classes": np.array(answer.classes),
        }
    elif isinstance(answer, ValuePrediction):
        arrays = {name: np.asarray(value) for name, value in answer.values.items()}
    write_atomic(target.with_suffix(".npz"), partial(np.savez, **arrays))
