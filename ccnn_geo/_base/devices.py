"""Checks that tensors used together are on one device."""

from __future__ import annotations

from torch import Tensor


def check_one_device(name: str, /, **tensors: object) -> None:
    """Checks that all tensors are on one device; ignores ``None`` and other values.

    Args:
        name: The caller, for the message.
        **tensors: Tensors, or pairs of sources and targets, by the caller's names for them.

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
