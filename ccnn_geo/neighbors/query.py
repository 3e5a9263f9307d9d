"""A checked query, "which sources are near which targets", as all backends receive it."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo.functional.clouds import check_positions, cloud_offsets, count_clouds, glance_at_clouds


@dataclass(frozen=True)
class Query:
    """Sources and targets in float64, cloud by cloud, and the criteria for neighbours.

    ``k`` and ``radius`` are upper bounds that apply together; ``None`` means no bound. ``loop=False`` excludes
    the source with the target's own index. ``offsets`` are ``src_ptr`` and ``dst_ptr`` on the device of the points, for
    a search that must not copy anything there; empty on the CPU.
    """

    src: Tensor
    dst: Tensor
    src_ptr: list[int]
    dst_ptr: list[int]
    k: int | None
    radius: float | None
    loop: bool
    offsets: tuple[Tensor, ...] = ()

    @property
    def clouds(self) -> list[tuple[int, int, int, int]]:
        """First and last + 1 source, first and last + 1 target of each cloud."""
        return [(*s, *t) for s, t in zip(pairwise(self.src_ptr), pairwise(self.dst_ptr), strict=True)]

    @property
    def max_sources(self) -> int:
        """Points of the largest cloud."""
        return max((b - a for a, b in pairwise(self.src_ptr)), default=0)

    def to(self, device: torch.device | str) -> "Query":
        """The same query with points on another device."""
        return replace(self, src=self.src.to(device), dst=self.dst.to(device), offsets=())


def make_query(
    pos: Tensor,
    batch: Tensor | None,
    pos_dst: Tensor | None,
    batch_dst: Tensor | None,
    k: int | None,
    radius: float | None,
    loop: bool,
) -> Query:
    """Check the arguments of a neighbour search and convert them to one form."""
    if k is not None:
        if isinstance(k, bool) or not isinstance(k, int):
            raise TypeError(f"the number of neighbours must be an int or None, got {k!r}")
        if k < 1:
            raise ValueError(f"the number of neighbours must be at least 1, got {k}")
    if radius is not None:
        radius = float(radius)
        if not (math.isfinite(radius) and radius >= 0):
            raise ValueError(f"radius must be finite and not negative, got {radius}")
    if (found := _glance(pos, batch, pos_dst, batch_dst, loop)) is not None:
        (src_ptr, src_offsets), (dst_ptr, dst_offsets) = found[0], found[-1]
        points = _as_float64(pos)
        targets = points if pos_dst is None else _as_float64(pos_dst)
        return Query(points, targets, src_ptr, dst_ptr, k, radius, loop, (src_offsets, dst_offsets))
    check_positions(pos, "pos")
    check_one_device("neighbours", pos=pos, batch=batch, pos_dst=pos_dst, batch_dst=batch_dst)
    if pos_dst is None:
        if batch_dst is not None:
            raise ValueError("batch_dst was given without pos_dst")
        num_clouds = count_clouds(batch)
        ptr = cloud_offsets(pos, batch, num_clouds, "batch")
        points = _as_float64(pos)
        return Query(points, points, ptr, ptr, k, radius, loop)
    if not loop:
        raise ValueError("loop=False needs sources and targets to be the same points, but pos_dst was given")
    check_positions(pos_dst, "pos_dst")
    if pos_dst.size(1) != pos.size(1):
        raise ValueError(
            f"pos and pos_dst must have the same dimension, got {list(pos.shape)} and {list(pos_dst.shape)}"
        )
    num_clouds = max(count_clouds(batch), count_clouds(batch_dst))
    src_ptr = cloud_offsets(pos, batch, num_clouds, "batch")
    dst_ptr = cloud_offsets(pos_dst, batch_dst, num_clouds, "batch_dst")
    return Query(_as_float64(pos), _as_float64(pos_dst), src_ptr, dst_ptr, k, radius, loop)


def _glance(
    pos: Tensor, batch: Tensor | None, pos_dst: Tensor | None, batch_dst: Tensor | None, loop: bool
) -> list[tuple[list[int], Tensor]] | None:
    """Beginnings of clouds, by one wait for the device; ``None`` on the CPU, and if a check finds something."""
    # for MPS the search runs on the host
    if not isinstance(pos, Tensor) or pos.device.type in ("cpu", "mps"):
        return None
    if pos_dst is None:
        return None if batch_dst is not None else glance_at_clouds((pos, batch))
    if not isinstance(pos_dst, Tensor) or not loop or pos_dst.device != pos.device:
        return None
    return (
        glance_at_clouds((pos, batch), (pos_dst, batch_dst)) if pos.shape[1:] == pos_dst.shape[1:] else None
    )


def _as_float64(pos: Tensor) -> Tensor:
    pos = pos.detach()
    # Metal has no float64: search on the host, so that neighbours do not depend on the device
    if pos.device.type == "mps":
        pos = pos.cpu()
    return pos.to(torch.float64).contiguous()
