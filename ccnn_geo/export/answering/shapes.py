"""Shapes, optionally with votes over several choices of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ccnn_geo._base.pyg import Data
from ccnn_geo.export.answering.base import Answering
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline, network_inputs


class ShapeAnswering(Answering):
    """The mean of the outputs for several choices of points; the first choice is that of a single vote."""

    takes_votes: ClassVar[tuple[str, ...]] = ("subsets",)

    pipeline: ShapePipeline

    def sample(self, source: Any) -> list[Data | Tensor]:
        shape = self.read(source)
        found = [self.pipeline.choice(shape, number) for number in range(self.votes.subsets)]
        return [Data(**network_inputs(one)) if isinstance(one, Data) else one for one in found]

    def outputs(self, samples: Sequence[Any]) -> list[Tensor]:
        each = super().outputs([one for sample in samples for one in sample])
        return list(torch.stack(each).unflatten(0, (len(samples), -1)).mean(1))

    def shape(self, sample: Any) -> tuple[int, ...]:
        return super().shape(sample[0])
