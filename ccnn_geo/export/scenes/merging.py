"""Adds up and averages the outputs of overlapping tiles for every point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ccnn_geo._base.caller import warn_caller
from ccnn_geo.export.scenes.kept import KeptPoints, Parts, Rows, keep_points, make_rows
from ccnn_geo.export.scenes.other_scale import other_scale
from ccnn_geo.export.scenes.votes import Votes, tile_logits
from ccnn_geo.io.files.progress import progress
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.transforms.pipelines.scans import ScanPipeline

ROWS = 1 << 20
"""Points to average at a time."""


def summed(
    network: CCNN, pipeline: ScanPipeline, parts: Parts, votes: Votes, overlap: float, folder: Path | None
) -> tuple[KeptPoints, Rows]:
    """The points of a scene, and for each the weighted sum of its logits, followed by the sum of the weights."""
    _check(network, pipeline)
    kept = keep_points(parts, pipeline.features, pipeline.tile, overlap, folder)
    if (told := other_scale(kept, pipeline.moments)) is not None:
        warn_caller(told)
    classes = max(2, network.out_channels)  # one output stands for two
    sums = make_rows(folder, ("f4", (classes + 1,)), kept.num_rows)
    title = "scene" if kept.path is None else kept.path.name
    for tile in progress(kept.tiles(), title=title):
        slices = kept.slices(tile)
        points = [kept.rows[part] for part in slices]
        inside = [kept.tiling.inside(some["xyz"], tile) for some in points]
        if not any(seen.any() for seen in inside):
            continue
        held = np.concatenate([some[seen] for some, seen in zip(points, inside, strict=True)])
        logits = tile_logits(network, pipeline, kept.frame(held), votes, tile).double().numpy()
        if not np.isfinite(logits).all():
            raise ValueError(f"{title}: the network gives NaN or Inf, expected finite logits")
        weight = kept.tiling.weight(held["xyz"], tile)[:, None]
        weighted = np.concatenate([logits * weight, weight], axis=1)
        start = 0
        for part, seen in zip(slices, inside, strict=True):
            stop = start + int(np.count_nonzero(seen))
            before = sums[part]
            before[seen] += weighted[start:stop]
            sums[part], start = before, stop
    return kept, sums


def _check(network: CCNN, pipeline: ScanPipeline) -> None:
    """Refuses networks and pipelines that cannot predict tiles, before the long work begins."""
    if network.readout != "node" or network.dim != 3:
        raise ValueError(
            "scenes: expected a network with an output per point in 3 D, readout 'node', got readout "
            f"{network.readout!r} in {network.dim} D"
        )
    if network.in_channels != pipeline.in_channels:
        raise ValueError(
            f"scenes: expected {network.in_channels} features for this network, got {list(pipeline.features)}"
        )


def averages(kept: KeptPoints, sums: Rows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields indices of some points at a time, with their logits ``[M, K]``."""
    for start in range(0, kept.num_rows, ROWS):
        part = slice(start, min(start + ROWS, kept.num_rows))
        total = sums[part]
        yield kept.rows[part]["place"], total[:, :-1] / total[:, -1:]
