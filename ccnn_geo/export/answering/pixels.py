"""Predictions for each pixel of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ccnn_geo.export.answering.base import Answering, write_arrays
from ccnn_geo.export.answers import Answer, PointPrediction
from ccnn_geo.io.image import write_mask
from ccnn_geo.transforms.pipelines.images import ImagePipeline


@dataclass(frozen=True, eq=False)
class Pixels:
    """An image with a prediction for each pixel.

    Args:
        image: The input of the network, ``[C, H, W]``.
        size: Pixels of the file along each axis; predictions are interpolated to them.
        spacing: Distance between pixels in the network's input.
    """

    image: Tensor
    size: tuple[int, int]
    spacing: float


class PixelAnswering(Answering):
    """Predicts as many pixels as the file has, whatever the network's input size; labels become a PNG."""

    pipeline: ImagePipeline

    def sample(self, source: Any) -> Any:
        content = self.pipeline.read(source)
        image = self.pipeline(content)
        if self.pipeline.spacing is None:  # one prediction for the whole image
            return image
        return Pixels(image, (content.shape[1], content.shape[2]), self.pipeline.spacing)

    def outputs(self, samples: Sequence[Any]) -> list[Tensor]:
        if not isinstance(samples[0], Pixels):
            return super().outputs(samples)
        device = self.network.head.linear.weight.device
        images = torch.stack([sample.image for sample in samples]).to(device)
        outputs = self.network(images, spacing=samples[0].spacing)
        return [_resized(out, sample.size) for out, sample in zip(outputs, samples, strict=True)]

    def shape(self, sample: Any) -> tuple[int, ...]:
        return super().shape(sample.image if isinstance(sample, Pixels) else sample)

    def answer_files(self, target: Path) -> list[Path]:
        labels = [] if self.targets else [target.with_suffix(".png")]
        return [*super().answer_files(target), *labels]

    def write(self, file: str, answer: Answer, target: Path) -> None:
        """Writes the arrays, and labels as a PNG with the numbers of the training masks."""
        if isinstance(answer, PointPrediction):
            codes = np.array(self.pipeline.codes or range(len(answer.classes)), np.uint8)
            write_mask(target.with_suffix(".png"), codes[answer.labels])
        write_arrays(answer, target)


def _resized(outputs: Tensor, size: tuple[int, int]) -> Tensor:
    """Outputs ``[*size, K]``, from ``[K, H, W]``."""
    if tuple(outputs.shape[1:]) != size:
        outputs = interpolate(outputs[None], size, mode="bilinear", align_corners=False).squeeze(0)
    return outputs.movedim(0, -1)
