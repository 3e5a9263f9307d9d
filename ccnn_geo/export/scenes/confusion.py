"""Confusion of the classes of a scene's points, at full resolution."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from ccnn_geo.export.scenes.answer import OVERLAP, answer_scene
from ccnn_geo.io.scans.chunks import read_chunks
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.transforms.pipelines.scans import ScanPipeline
from ccnn_geo.transforms.scan_points import class_labels


def scene_confusion(
    network: CCNN,
    pipeline: ScanPipeline,
    paths: Iterable[Path],
    *,
    overlap: float = OVERLAP,
    rotations: int = 1,
    subsets: int = 1,
) -> Tensor:
    """Points of class (row) that are predicted as class (column), over all labelled points of some scans.

    Thinning does not matter: every point of a file counts once, with the prediction of
    :func:`~ccnn_geo.export.scenes.answer.answer_scene`. Points without a class do not count.

    Args:
        network: The network, in evaluation mode, with ``readout="node"``.
        pipeline: The pipeline of its training, with ``classes``.
        paths: The scans.
        overlap: Least share of a tile that overlaps the next one.
        rotations: Number of rotations about the vertical axis that vote.
        subsets: Number of different thinnings that vote.

    Shapes:
        - **output:** :math:`(K, K)` int64

    Raises:
        OSError: If a file cannot be read.
        ValueError: If the pipeline has no classes, a scan is not valid, or none of its points has a class.

    Example:
        >>> matrix = scene_confusion(network, pipeline, ["test/a.las"])  # doctest: +SKIP
        >>> hits = matrix.diagonal()  # doctest: +SKIP
        >>> hits / (matrix.sum(0) + matrix.sum(1) - hits)                # intersection over union  # doctest: +SKIP
    """
    if pipeline.classes is None:
        raise ValueError("scene_confusion: expected a pipeline with classes, got classes=None")
    num = len(pipeline.classes)
    total = torch.zeros(num * num, dtype=torch.int64)
    for path in paths:
        answer = answer_scene(network, pipeline, path, overlap=overlap, rotations=rotations, subsets=subsets)
        before = int(total.sum())
        parts = read_chunks(
            Path(path), pipeline.columns, pipeline.column_type, pipeline.label, pipeline.features
        )
        for frame, places, _ in parts:
            if frame.labels is None:
                continue
            truth = class_labels(frame.labels, pipeline.classes)
            pairs = truth * num + answer.index[places]
            total += torch.from_numpy(pairs[truth >= 0]).bincount(minlength=num * num)
        if int(total.sum()) == before:
            raise ValueError(f"{path}: no labelled points, expected some of classes {list(pipeline.classes)}")
    return total.view(num, num)
