"""The k smallest of each row on a device: by ``torch.topk`` and integer keys, without looking at a number.

A stable sort of whole rows orders what nobody asks for. ``topk`` finds the k-th value, but takes any of those equal
to it. So a second one chooses among integers: an entry below the k-th value is its id, an equal one its id behind all
of these, and any other comes last. These keys differ wherever it matters, so the choice is exact for any ties. No row
needs a second look, and the host need not wait to hear of one. The k chosen are then put in order.
"""

import math

import torch
from torch import Tensor


def smallest_of(values: Tensor, ids: Tensor, k: int, limit: int) -> tuple[Tensor, Tensor]:
    """Columns of the ``k`` smallest entries of each row, ordered by value, then by id; and the k-th value.

    Args:
        values: float64, zero or positive; NaN stands for no entry.
        ids: int32, the entries' names: distinct within a row, but for those of NaN.
        k: how many, from 1 to ``n``; a row with fewer entries has anything at the end, and infinity as k-th value.
        limit: larger than all ids, at most 2^30.

    Shapes:
        - ``values``: ``[..., n]``; ``ids``: broadcast to it; results: ``[..., k]``, int64, and ``[..., 1]``

    Example:
        >>> values = torch.tensor([[3.0, 1.0, 3.0, 0.0]], dtype=torch.float64)
        >>> smallest_of(values, torch.tensor([3, 2, 1, 0], dtype=torch.int32), 3, 4)[0].tolist()
        [[3, 1, 2]]
    """
    kth = values.topk(k, largest=False, sorted=False).values.amax(dim=-1, keepdim=True)
    kth.nan_to_num_(nan=math.inf, posinf=math.inf)
    keys = torch.where(values < kth, ids, ids + limit)
    # By id among those below, then by id among those equal: what a stable sort keeps.
    chosen = torch.where(values <= kth, keys, 2 * limit).topk(k, largest=False, sorted=True).indices
    order = values.gather(-1, chosen).sort(dim=-1, stable=True).indices
    return chosen.gather(-1, order), kth


def smallest_columns(values: Tensor, k: int) -> Tensor:
    """Columns of the ``k`` smallest entries of each row, ordered by value, then by column, NaN last.

    Shapes:
        - ``values``: ``[..., n]``, float64, zero, positive or NaN; result: ``[..., k]``, int64
    """
    n = values.size(-1)
    if 2 * k >= n or k == 0:
        return values.sort(dim=-1, stable=True).indices[..., :k]
    return smallest_of(values, torch.arange(n, dtype=torch.int32, device=values.device), k, n)[0]
