"""A checked question, "which sources are near which targets", as all backends receive it."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device


@dataclass(frozen=True)
class Query:
    """Sources and targets in float64, cloud by cloud, and what counts as a neighbour.

    ``k`` and ``radius`` are upper bounds that hold together; ``None`` is no bound. ``loop=False`` leaves out
    the source with the target's own index.
    """

    src: Tensor
    dst: Tensor
    src_ptr: list[int]
    dst_ptr: list[int]
    k: int | None
    radius: float | None
    loop: bool

    @property
    def clouds(self) -> list[tuple[int, int, int, int]]:
        """First and last + 1 source, first and last + 1 target of each cloud."""
        return [(*s, *t) for s, t in zip(pairwise(self.src_ptr), pairwise(self.dst_ptr), strict=True)]

    @property
    def max_sources(self) -> int:
        """Points of the largest cloud."""
        return max((b - a for a, b in pairwise(self.src_ptr)), default=0)

    def to(self, device: torch.device | str) -> "Query":
        """The same question about points on another device."""
        return replace(self, src=self.src.to(device), dst=self.dst.to(device))


def make_query(
    pos: Tensor,
    batch: Tensor | None,
    pos_dst: Tensor | None,
    batch_dst: Tensor | None,
    k: int | None,
    radius: float | None,
    loop: bool,
) -> Query:
    """Check the arguments of a neighbour search and bring them into one form."""
    if k is not None:
        if isinstance(k, bool) or not isinstance(k, int):
            raise TypeError(f"the number of neighbours must be an int or None, got {k!r}")
        if k < 1:
            raise ValueError(f"the number of neighbours must be at least 1, got {k}")
    if radius is not None:
        radius = float(radius)
        if not (math.isfinite(radius) and radius >= 0):
            raise ValueError(f"radius must be finite and not negative, got {radius}")
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


def check_positions(pos: Tensor, name: str) -> None:
    """Refuse what has no distances: other shapes, integers, NaN and Inf."""
    if not isinstance(pos, Tensor):
        raise TypeError(f"{name} must be a tensor [N, D], got {type(pos).__name__}")
    if not pos.is_floating_point():
        # Lattice indices have no unit: which spacing they stand for is the caller's to say.
        raise TypeError(
            f"{name} must be floating point coordinates, got {pos.dtype}; convert with {name}.float()"
        )
    if pos.dim() != 2 or pos.size(1) < 1:
        raise ValueError(f"{name} must have shape [N, D] with D >= 1, got {list(pos.shape)}")
    if not bool(pos.isfinite().all()):
        bad = int((~pos.isfinite().all(dim=1)).sum())
        raise ValueError(f"{name} must be finite, got NaN or Inf in {bad} of {pos.size(0)} points")


def count_clouds(batch: Tensor | None) -> int:
    """Clouds a sorted ``batch`` speaks of, empty ones included."""
    if not isinstance(batch, Tensor) or batch.dim() != 1 or batch.numel() == 0:
        return 1
    return int(batch[-1]) + 1


def as_clouds(batch: Tensor, name: str) -> Tensor:
    """Numbers of clouds as int64, which sums over clouds index with.

    Raises:
        TypeError: If they are neither int64 nor int32.
    """
    if not isinstance(batch, Tensor):
        raise TypeError(f"{name} must be a tensor [N], got {type(batch).__name__}")
    if batch.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name} must be int64 or int32, got {batch.dtype}")
    return batch.long()


def cloud_offsets(pos: Tensor, batch: Tensor | None, num_clouds: int, name: str) -> list[int]:
    """First point of each cloud, and the number of points at the end."""
    if batch is None:
        return [0] + [pos.size(0)] * num_clouds
    batch = as_clouds(batch, name)
    if batch.dim() != 1 or batch.size(0) != pos.size(0):
        raise ValueError(
            f"{name} must give one cloud per point, [{pos.size(0)}] for positions {list(pos.shape)}, "
            f"got {list(batch.shape)}"
        )
    check_one_device("clouds", pos=pos, **{name: batch})
    if bool((batch[1:] < batch[:-1]).any()):
        raise ValueError(
            f"{name} must be sorted, cloud after cloud; reorder the points with {name}.argsort()"
        )
    if batch.numel() and int(batch[0]) < 0:
        raise ValueError(f"{name} must not be negative, got {int(batch[0])}")
    steps = torch.arange(num_clouds + 1, device=batch.device, dtype=batch.dtype)
    return torch.searchsorted(batch.contiguous(), steps).tolist()


def _as_float64(pos: Tensor) -> Tensor:
    pos = pos.detach()
    # Metal has no float64: search on the host, so that neighbours do not depend on the device.
    if pos.device.type == "mps":
        pos = pos.cpu()
    return pos.to(torch.float64).contiguous()
