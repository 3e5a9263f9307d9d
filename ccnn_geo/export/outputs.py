"""What a network gives for prepared samples, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ccnn_geo._base.pyg import Batch, Data
from ccnn_geo.nn.ccnn import CCNN


@dataclass(frozen=True, eq=False)
class Pixels:
    """An image of which each pixel gets an answer.

    Args:
        image: As the network sees it, ``[C, H, W]``.
        size: Pixels of the file along each axis: answers are interpolated to them.
        spacing: Distance of the pixels that the network sees.
    """

    image: Tensor
    size: tuple[int, int]
    spacing: float


def network_outputs(network: CCNN, samples: Sequence[Data | Tensor | Pixels]) -> list[Tensor]:
    """Outputs ``[K]`` or ``[*, K]`` of each of some samples of one kind, see :func:`alike`.

    Args:
        network: In evaluation mode.
        samples: Clouds, or grids of one shape.
    """
    device, is_global = network.head.linear.weight.device, network.readout == "global"
    first = samples[0]
    if isinstance(first, Data):
        batch = Batch.from_data_list([s for s in samples if isinstance(s, Data)]).to(device)
        outputs = network(batch)
        return list(outputs if is_global else outputs.split(batch.ptr.diff().tolist()))
    spacing = first.spacing if isinstance(first, Pixels) else None
    grids = torch.stack([_grid(sample) for sample in samples if not isinstance(sample, Data)])
    outputs = list(network(grids.to(device), spacing=spacing))
    return outputs if is_global else [_cells(out, s) for out, s in zip(outputs, samples, strict=True)]


def alike(samples: Sequence[Data | Tensor | Pixels]) -> Iterator[Sequence[Data | Tensor | Pixels]]:
    """Runs of samples that go through a network together: clouds, or grids of one shape."""
    start = 0
    for end in range(1, len(samples) + 1):
        if end == len(samples) or _shape(samples[end]) != _shape(samples[start]):
            yield samples[start:end]
            start = end


def _grid(sample: Tensor | Pixels) -> Tensor:
    return sample.image if isinstance(sample, Pixels) else sample


def _shape(sample: Data | Tensor | Pixels) -> tuple[int, ...]:
    return () if isinstance(sample, Data) else tuple(_grid(sample).shape)


def _cells(outputs: Tensor, sample: Data | Tensor | Pixels) -> Tensor:
    """Outputs ``[*S, K]`` of ``[K, *S]``, of an image as many as its file has pixels."""
    if isinstance(sample, Pixels) and tuple(outputs.shape[1:]) != sample.size:
        outputs = interpolate(outputs[None], sample.size, mode="bilinear", align_corners=False).squeeze(0)
    return outputs.movedim(0, -1)
