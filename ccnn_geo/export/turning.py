"""Rotates shapes from the axis that points up in files to that of a training."""

from __future__ import annotations

from ccnn_geo.transforms.pipelines.base import Pipeline
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline
from ccnn_geo.transforms.turn_up import AXES, TurnUp


def turn_of(pipeline: Pipeline, up: str, trained: str | None = None) -> TurnUp:
    """The rotation of shapes before a pipeline, see :meth:`~ccnn_geo.export.Predictor.upright`.

    Args:
        pipeline: The pipeline of the network, which may know the axis of its training.
        up: The axis that points up in the shapes.
        trained: The axis of the training; None for that of the pipeline.

    Raises:
        ValueError: If an axis is not x, y or z, or if that of the training is unknown or differs from the stored one.
    """
    for axis in (up, trained):
        if axis not in (*AXES, None):
            raise ValueError(f"up: expected x, y or z, got {axis!r}")
    known = getattr(pipeline, "up", None)
    if trained is not None and known not in (None, trained):
        raise ValueError(
            f"up {up}:{trained}: this network was trained with {known} up, expected {up}:{known}"
        )
    trained = trained or known
    if trained is None and isinstance(pipeline, ShapePipeline):
        raise ValueError(
            f"up {up}: this network does not store which axis points up in the training, expected both, such "
            f"as {up}:y; a training stores it from --data.up"
        )
    return TurnUp(up, trained or up)
