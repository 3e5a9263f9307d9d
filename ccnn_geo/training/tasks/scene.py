"""One sample with a prediction per point, kept for a picture of truth, prediction and error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ccnn_geo._base.pyg import Data, scatter
from ccnn_geo.functional.representations import grid_positions


@dataclass(frozen=True, eq=False)
class Scene:
    """The points of a sample, on the host.

    Args:
        pos: ``[N, D]``.
        truth: Labels ``[N]``, -1 where there is none; or targets ``[N, T]``, NaN where there is none.
        answer: Predicted labels ``[N]``, or targets ``[N, T]`` in their unit.
        name: Name of the sample.
    """

    pos: Tensor
    truth: Tensor
    answer: Tensor
    name: str = ""


def telling_scene(batch: object, answer: Tensor) -> Scene | None:
    """The sample of a batch with the most diverse truths.

    Args:
        batch: ``Data`` with ``pos`` and ``y``, or grids and labels of their cells; anything else has no picture.
        answer: Predictions for all its points or cells.
    """
    if isinstance(batch, (tuple, list)) and batch[1].dim() > 1:
        return _telling_grid(batch[1].detach().cpu(), answer.detach().cpu())
    if not isinstance(batch, Data) or batch.pos is None or batch.pos.size(0) == 0:
        return None
    clouds = torch.zeros_like(batch.pos[:, 0], dtype=torch.long) if batch.batch is None else batch.batch
    truth = batch.y.float().nan_to_num().reshape(len(clouds), -1)
    mean = scatter(truth, clouds, dim=0, reduce="mean")
    spread = scatter((truth - mean[clouds]).square(), clouds, dim=0, reduce="mean").sum(dim=1)
    chosen = int(spread.argmax())
    mine, name = clouds == chosen, batch.get("name")
    label = name[chosen] if isinstance(name, list) and len(name) > chosen else name
    pos, truth, given = (part[mine].detach().cpu() for part in (batch.pos, batch.y, answer))
    return Scene(pos, truth, given, label if isinstance(label, str) else "")


def _telling_grid(truth: Tensor, answer: Tensor) -> Scene:
    """Picks a grid from labels ``[B, *S]``; an image is shown upright, rows from the top."""
    rows = truth.flatten(1)
    chosen = int(rows.float().var(dim=1, correction=0).argmax())
    pos = grid_positions(tuple(truth.shape[1:]))
    if pos.size(1) == 2:
        pos = torch.stack([pos[:, 1], -pos[:, 0]], dim=1)
    return Scene(pos, rows[chosen], answer.reshape(rows.shape)[chosen])
