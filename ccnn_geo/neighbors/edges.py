"""The edge list that a search fills."""

import torch
from torch import Tensor

from ccnn_geo._base.native.memory import empty


def empty_edges(num: int, device: torch.device) -> Tensor:
    """Uninitialised memory for ``num`` edges, ``[2, num]`` int64."""
    if device.type == "cpu":
        return empty(2, num, dtype=torch.int64)
    return torch.empty(2, num, dtype=torch.int64, device=device)


def repeat_into(values: Tensor, count: Tensor, out: Tensor) -> None:
    """Writes ``values[i]`` ``count[i]`` times, in order.

    Shapes: ``[T]`` and ``[T]`` to ``[sum(count)]``.
    """
    if count.numel() and bool((count == count[0]).all()):
        out.view(count.numel(), int(count[0])).copy_(values[:, None])
    else:
        out.copy_(values.repeat_interleave(count, output_size=out.numel()))


def join_chunks(sources: list[Tensor], counts: list[Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Edges and their number per target, from lists of sources in the order of the targets.

    Shapes: ``[E_i]`` and ``[T_i]`` each, int64, to ``[2, E]`` and ``[T]``.
    """
    none = torch.empty(0, dtype=torch.int64, device=device)
    edges = empty_edges(sum(s.numel() for s in sources), device)
    torch.cat([none, *sources], out=edges[0])
    count = torch.cat([none, *counts])
    repeat_into(torch.arange(count.numel(), device=device), count, edges[1])
    return edges, count
