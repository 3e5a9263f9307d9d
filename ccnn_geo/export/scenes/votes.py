"""Outputs of a network for all points of a tile, repeated with other points or rotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import pi

import numpy as np
import torch

from ccnn_geo.io.files.notices import say_once
from ccnn_geo.io.scans.frames import Frame
from ccnn_geo.nn.build import class_logits
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.point_field import PointField
from ccnn_geo.transforms.pipelines.scans import ScanPipeline

MOST = 1 << 18
"""Most points of a tile that enter a network; without a bound, memory would grow with the density of the tile."""


@dataclass(frozen=True)
class Votes:
    """Repetitions of a tile or a shape; the logits are averaged.

    Args:
        rotations: Rotations about the vertical axis, evenly spaced, beginning with none.
        subsets: Different thinnings, beginning with the cubes of the training; for a shape, choices of points.
        seed: Seed of the thinnings.

    Raises:
        ValueError: If one is below 1.
    """

    rotations: int = 1
    subsets: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rotations < 1 or self.subsets < 1:
            raise ValueError(
                f"votes: expected rotations and subsets of 1 or more, got {self.rotations} and {self.subsets}"
            )

    @property
    def asked(self) -> list[str]:
        """Names of those above one."""
        return [name for name in ("rotations", "subsets") if getattr(self, name) > 1]


ONE_VOTE = Votes()


def tile_logits(
    network: CCNN, pipeline: ScanPipeline, tile: Frame, votes: Votes, number: Sequence[int] = ()
) -> torch.Tensor:
    """Logits for all points of a tile, from a network that sees the points that the training would keep.

    Args:
        network: The network, in evaluation mode, with ``readout="node"``.
        pipeline: The pipeline of its training.
        tile: All points of the tile.
        votes: Number of votes.
        number: Number of the tile, for other points in each.

    Shapes:
        :math:`(N, K)`
    """
    total: torch.Tensor | float = 0.0
    for subset in range(votes.subsets):
        rng = np.random.default_rng([votes.seed, subset, *number])
        shift = rng.random(3) * pipeline.voxel if subset and pipeline.voxel is not None else 0.0
        keep = pipeline.thinned(tile.xyz, int(rng.integers(1 << 62)), shift)
        if len(keep) > MOST:
            say_once(
                f"{tile.path or 'scan'}: {len(keep):,} points in a tile, of which {MOST:,} are used; voxel or "
                "max_points in the training limit them"
            )
            keep = np.sort(rng.choice(keep, MOST, replace=False))
        for turn in range(votes.rotations):
            turned = tile if turn == 0 else _turned(tile, 2 * pi * turn / votes.rotations)
            total = total + _answer(network, pipeline, turned, keep)
    assert isinstance(total, torch.Tensor)
    return total / (votes.subsets * votes.rotations)


def _answer(network: CCNN, pipeline: ScanPipeline, tile: Frame, keep: np.ndarray) -> torch.Tensor:
    device = network.head.linear.weight.device
    data = pipeline.sample(tile, keep)
    field = PointField(network, data.x.to(device), data.pos.to(device))
    if len(keep) == len(tile.xyz):
        return class_logits(field.output).cpu()
    everywhere = (tile.xyz - data.origin.numpy()) / pipeline.unit
    return class_logits(field(torch.from_numpy(everywhere.astype(np.float32)).to(device))).cpu()


def _turned(tile: Frame, angle: float) -> Frame:
    """The same points, rotated about the vertical axis through their centre."""
    middle = (tile.xyz.min(0) + tile.xyz.max(0)) / 2
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0.0, 0.0, 1.0]])
    return replace(tile, xyz=(tile.xyz - middle) @ turn + middle)
