"""One sample with an answer per point, kept for a picture of truth, answer and error."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ccnn_geo._base.pyg import Data


@dataclass(frozen=True, eq=False)
class Scene:
    """The points of a sample, on the host.

    Args:
        pos: ``[N, D]``.
        truth: Labels ``[N]``, -1 where there is none; or targets ``[N, T]``, NaN where there is none.
        answer: Labels ``[N]``, or ``[N, T]``, in the unit of the targets.
        name: Of the sample.
    """

    pos: Tensor
    truth: Tensor
    answer: Tensor
    name: str = ""


def first_scene(batch: object, answer: Tensor) -> Scene | None:
    """The first sample of a batch of points.

    Args:
        batch: ``Data`` with ``pos`` and ``y``; of anything else there is no picture.
        answer: Of all its points.
    """
    if not isinstance(batch, Data) or batch.pos is None:
        return None
    mine = slice(None) if batch.batch is None else batch.batch == 0
    name = batch.get("name")
    label = name[0] if isinstance(name, list) and name else name
    parts = [part[mine].detach().cpu() for part in (batch.pos, batch.y, answer)]
    return None if torch.numel(parts[0]) == 0 else Scene(*parts, name=label if isinstance(label, str) else "")
