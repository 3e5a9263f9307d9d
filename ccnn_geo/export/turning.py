"""From the axis that points up in files to the one of a training."""

from __future__ import annotations

from ccnn_geo.transforms.pipelines.base import Pipeline
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline
from ccnn_geo.transforms.turn_up import AXES, TurnUp


def turn_of(pipeline: Pipeline, up: str, trained: str | None = None) -> TurnUp:
    """What shapes go through before a pipeline, see :meth:`~ccnn_geo.export.Predictor.upright`.

    Args:
        pipeline: Of the network, which may know the axis of its training.
        up: The axis that points up in the shapes.
        trained: The one of the training; None for what the pipeline says.

    Raises:
        ValueError: If an axis is another, or the one of the training is not known or is stored as another one.
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
            f"up {up}: which axis points up in the training is not stored with this network, expected both, such "
            f"as {up}:y; a training keeps it as --data.up"
        )
    return TurnUp(up, trained or up)
