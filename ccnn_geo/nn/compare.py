"""Compares two networks, and finds tensors that a network shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ccnn_geo.nn.config import listed


def compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raises a ValueError if names or shapes of two state dicts differ."""
    shapes = [k for k in expected if k in found and expected[k].shape != found[k].shape]
    if shapes:
        raise ValueError(
            f"{shapes[0]} is {list(found[shapes[0]].shape)}, expected {list(expected[shapes[0]].shape)}"
        )
    missing, extra = [[k for k in a if k not in b] for a, b in ((expected, found), (found, expected))]
    said = [f"without {listed(missing)}"] * bool(missing) + [f"with {listed(extra)}"] * bool(extra)
    if said:
        raise ValueError(" and ".join(said))


def settings(network: nn.Module) -> dict[str, Any]:
    """All plain attributes of all modules, by name."""
    kinds = (bool, int, float, str, tuple, type(None))
    return {
        f"{prefix}.{name}".removeprefix("."): value
        for prefix, module in network.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, kinds) and not name.startswith("_") and name not in ("training", "known")
    }


def first_names(network: nn.Module) -> dict[str, str]:
    """Maps each name in a state dict to the first name of the same tensor; shared modules have several names."""
    found: dict[int, str] = {}
    state = network.state_dict(keep_vars=True)
    return {name: found.setdefault(id(value), name) for name, value in state.items()}
