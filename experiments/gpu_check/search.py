"""Neighbours: time and memory up to 120,000 points, and the selection alone."""

from __future__ import annotations

import torch

from ccnn_geo.experiments.gpu_check.check import Check
from ccnn_geo.neighbors import build_neighbors


def run(check: Check) -> None:
    """Search of 32 and 256 neighbours, and a full sort against ``topk`` of integer keys."""
    for points, clouds in ((200, 1),) if check.tiny else ((1024, 16), (8192, 1), (30_000, 1), (120_000, 1)):
        torch.manual_seed(0)
        pos = torch.rand(clouds * points, 3, device=check.device)
        batch = torch.arange(clouds, device=check.device).repeat_interleave(points)
        for k in (32, min(256, points)):

            def search(pos: torch.Tensor = pos, batch: torch.Tensor = batch, k: int = k) -> object:
                return build_neighbors(pos, batch, k)

            took = check.clock(search, 1, 1 if points < 50_000 else 0)
            check.say(
                points=points,
                clouds=clouds,
                k=k,
                ms=took,
                peak_MiB=check.peak(search),
                waits=check.waits(search),
            )
    for columns in (200,) if check.tiny else (1024, 8192):
        rows = max(1, (1 << (12 if check.tiny else 22)) // columns)
        _selection(
            check, torch.rand(rows, columns, device=check.device, dtype=torch.float64), min(256, columns)
        )


def _selection(check: Check, square: torch.Tensor, k: int) -> None:
    sort = check.clock(lambda: torch.sort(square, dim=-1, stable=True))
    topk = check.clock(lambda: square.view(torch.int64).topk(k, largest=False))
    check.say(what="selection", columns=square.size(1), k=k, sort_ms=sort, topk_ms=topk)
