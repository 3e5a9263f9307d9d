"""Predicts the part of each face of a mesh, or each point of a cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ccnn_geo._base.pyg import Data
from ccnn_geo.export.answering.base import Answering
from ccnn_geo.export.answers import Answer, PointPrediction
from ccnn_geo.io.shapes.read import read_shape
from ccnn_geo.io.shapes.write_parts import write_parts
from ccnn_geo.nn.part_groups import category_of_classes, of_one_category
from ccnn_geo.nn.point_field import PointField
from ccnn_geo.transforms.pipelines.parts import PartPipeline
from ccnn_geo.transforms.pipelines.shapes import network_inputs


class PartAnswering(Answering):
    """Runs the network on points of the surface, then evaluates it at the centre of each face, or at each point.

    With parts of several categories, only those of the shape's most probable category are predicted.
    """

    pipeline: PartPipeline

    def sample(self, source: Any) -> Any:
        shape = self.read(source)
        found, faces = self.pipeline(shape), shape.get("face")
        elements = "points" if faces is None or faces.numel() == 0 else "faces"
        return Data(**network_inputs(found), at=found.at, elements=elements)

    def answer(self, samples: Sequence[Any]) -> list[Answer | ValueError]:
        return [
            replace(answer, elements=sample.elements) if isinstance(answer, PointPrediction) else answer
            for sample, answer in zip(samples, super().answer(samples), strict=True)
        ]

    def outputs(self, samples: Sequence[Any]) -> list[Tensor]:
        device = self.network.head.linear.weight.device
        moved = (sample.to(device) for sample in samples)
        return [PointField(self.network, sample.x, sample.pos)(sample.at) for sample in moved]

    def said(self, outputs: Tensor) -> Answer:
        category = category_of_classes(self.classes)
        return super().said(outputs if category is None else of_one_category(outputs, category))

    def answer_files(self, target: Path) -> list[Path]:
        return [target.with_suffix(".ply")]

    def write(self, file: str, answer: Answer, target: Path) -> None:
        """Writes a PLY of the shape with a part, its probability and a colour for each face or point."""
        assert isinstance(answer, PointPrediction), "of faces or points"
        shape = read_shape(file, self.pipeline.columns)
        write_parts(target.with_suffix(".ply"), shape, answer.labels, answer.probability, answer.classes)
