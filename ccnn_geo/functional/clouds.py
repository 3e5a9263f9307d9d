"""Checks of points and of their clouds, and the first point of each cloud."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device


def check_positions(pos: Tensor, name: str) -> None:
    """Reject positions without distances: other shapes, integers, NaN and Inf."""
    if not isinstance(pos, Tensor):
        raise TypeError(f"{name} must be a tensor [N, D], got {type(pos).__name__}")
    if not pos.is_floating_point():
        # lattice indices have no unit: only the caller knows their spacing
        raise TypeError(
            f"{name} must be floating point coordinates, got {pos.dtype}; convert with {name}.float()"
        )
    if pos.dim() != 2 or pos.size(1) < 1:
        raise ValueError(f"{name} must have shape [N, D] with D >= 1, got {list(pos.shape)}")
    if not bool(pos.isfinite().all()):
        bad = int((~pos.isfinite().all(dim=1)).sum())
        raise ValueError(f"{name} must be finite, got NaN or Inf in {bad} of {pos.size(0)} points")


def count_clouds(batch: Tensor | None) -> int:
    """Number of clouds in a sorted ``batch``, including empty ones."""
    if not isinstance(batch, Tensor) or batch.dim() != 1 or batch.numel() == 0:
        return 1
    return int(batch[-1]) + 1


def as_clouds(batch: Tensor, name: str) -> Tensor:
    """Converts cloud indices to int64, for sums over clouds.

    Raises:
        TypeError: If they are neither int64 nor int32.
    """
    if not isinstance(batch, Tensor):
        raise TypeError(f"{name} must be a tensor [N], got {type(batch).__name__}")
    if batch.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name} must be int64 or int32, got {batch.dtype}")
    return batch.long()


def cloud_offsets(pos: Tensor, batch: Tensor | None, num_clouds: int, name: str) -> list[int]:
    """Index of the first point of each cloud, followed by the number of points."""
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


MOST_GLANCED = 4096
"""Clouds whose offsets are fetched before it is known how many there are."""


def glance_at_clouds(*points: tuple[Tensor, Tensor | None]) -> list[tuple[list[int], Tensor]] | None:
    """The result of :func:`check_positions` and :func:`cloud_offsets` for points on a device, by one wait for it.

    Args:
        points: Positions and the cloud of each point; of sources and targets, if they are different.

    Returns:
        First point of each cloud and the number of points at the end, on the host and on the device, for as many clouds
        as any of the points speak of. ``None`` if something is wrong or unusual: the named functions say what.

    Example:
        >>> glance_at_clouds((torch.rand(3, 2), torch.tensor([0, 0, 2])))
        [([0, 2, 2, 3], tensor([0, 2, 2, 3]))]
    """
    steps = MOST_GLANCED if any(batch is not None for _, batch in points) else 1
    found = []
    for pos, batch in points:
        if not isinstance(pos, Tensor) or not pos.is_floating_point() or pos.dim() != 2 or pos.numel() == 0:
            return None
        if batch is None:
            batch = torch.zeros(pos.size(0), dtype=torch.int64, device=pos.device)
        if not isinstance(batch, Tensor) or batch.dtype not in (torch.int64, torch.int32):
            return None
        if batch.shape != pos.shape[:1] or batch.device != pos.device:
            return None
        found.append(_glance(pos, batch.long().contiguous(), steps))
    answers = torch.stack(found).tolist()
    num_clouds = 1 + max(last for _, _, last, *_ in answers)
    if num_clouds > steps or not all(fine and first >= 0 for fine, first, *_ in answers):
        return None
    end = 4 + num_clouds
    return [(answer[3:end], numbers[3:end]) for answer, numbers in zip(answers, found, strict=True)]


def _glance(pos: Tensor, batch: Tensor, steps: int) -> Tensor:
    """Whether positions and order are fine, the first and the last cloud, and where each of ``steps`` begins."""
    fine = pos.isfinite().all() & (batch[1:] >= batch[:-1]).all()
    offsets = torch.searchsorted(batch, torch.arange(steps + 1, device=batch.device))
    return torch.cat([torch.stack([fine.long(), batch[0], batch[-1]]), offsets])
