"""On which device tensors are that come together."""

from __future__ import annotations

import torch
from torch import Tensor


def check_one_device(name: str, expected: torch.device | None = None, **tensors: object) -> None:
    """Says which of some tensors are on another device; those that are ``None``, or no tensors, count as none.

    Args:
        name: Who asks.
        expected: Where all of them should be; by default where the first one is.
        **tensors: Tensors by the names that the caller knows them by, or pairs of sources and targets.

    Raises:
        ValueError: If they are on several devices, or not on that one.
    """
    found = {
        what if part is value else f"{what}[{number}]": part.device
        for what, value in tensors.items()
        for number, part in enumerate(value if isinstance(value, (tuple, list)) else (value,))
        if isinstance(part, Tensor)
    }
    first = next(iter(found.values()), None) if expected is None else expected
    if any(device != first for device in found.values()):
        where = "one device" if expected is None else f"{expected}"
        got = ", ".join(f"{what} on {device}" for what, device in found.items())
        raise ValueError(f"{name}: expected all on {where}, got {got}")
