"""The edge list that a search fills: at the end from what it found, or row by row in any order."""

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


class EdgeTable:
    """Edges of targets whose number of neighbours is known, written row by row, in any order and without waits.

    Args:
        count: neighbours of each target, ``[M]``.
        total: their sum.
        width: the number that all have, if it is one.
    """

    def __init__(self, count: Tensor, total: int, width: int | None) -> None:
        targets = torch.arange(count.numel(), device=count.device)
        # One place more, for what is not written; and a target more, which has no neighbours.
        self.room = torch.empty(2 * total + 1, dtype=torch.int64, device=count.device)
        self.edges = self.room[:-1].view(2, total)
        self.width = width
        self.ptr = count.new_zeros(count.numel() + 2)
        torch.cumsum(count, 0, out=self.ptr[1:-1])
        self.ptr[-1:].copy_(self.ptr[-2:-1])
        if width is None:
            self.edges[1].copy_(targets.repeat_interleave(count, output_size=total))
        else:
            self.edges[1].view(-1, width).copy_(targets[:, None])

    def put(self, targets: Tensor, sources: Tensor) -> None:
        """Writes the first sources of each row, as many as its target has.

        Shapes:
            - ``targets``: ``[R]``, ``M`` for nobody; ``sources``: ``[R, W]``
        """
        rank = torch.arange(sources.size(1), device=sources.device)
        first, last = self.ptr[targets][:, None], self.ptr[targets + 1][:, None]
        place = first + rank
        place = torch.where(place < last, place, self.room.numel() - 1)
        self.room[place] = sources

    def put_all(self, first: int, sources: Tensor) -> None:
        """Writes the sources of the targets from ``first`` on, where all have ``width``.

        Shapes:
            - ``sources``: ``[..., width]``
        """
        start = first * sources.size(-1)
        self.edges[0, start : start + sources.numel()].copy_(sources.reshape(-1))
