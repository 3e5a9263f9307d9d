"""On which device tensors are that come together."""

from __future__ import annotations

from torch import Tensor


def check_one_device(name: str, /, **tensors: object) -> None:
    """Says which of some tensors are on another device; those that are ``None``, or no tensors, count as none.

    Args:
        name: Who asks.
        **tensors: Tensors by the names that the caller knows them by, or pairs of sources and targets.

    Raises:
        ValueError: If they are on several devices.
    """
    found = {
        what if part is value else f"{what}[{number}]": part.device
        for what, value in tensors.items()
        for number, part in enumerate(value if isinstance(value, (tuple, list)) else (value,))
        if isinstance(part, Tensor)
    }
    if len(set(found.values())) > 1:
        got = ", ".join(f"{what} on {device}" for what, device in found.items())
        raise ValueError(f"{name}: expected all on one device, got {got}")
