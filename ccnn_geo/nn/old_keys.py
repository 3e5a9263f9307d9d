"""State dicts of earlier releases, in which some buffers have old names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from torch import nn

T = TypeVar("T")


def accept_old_keys(module: nn.Module, names: Mapping[str, str]) -> None:
    """Lets a module load state dicts in which some of its buffers have old names.

    Args:
        module: Owner of the buffers.
        names: Maps old names, or prefixes that end in a dot, to new ones.
    """
    vars(module)["_old_keys"] = dict(names)
    module.register_load_state_dict_pre_hook(partial(_rename, names))


def with_new_keys(network: nn.Module, state_dict: Mapping[str, T]) -> dict[str, T]:
    """Renames the entries of an earlier release's state dict."""
    state = dict(state_dict)
    for name, module in network.named_modules():
        _rename(getattr(module, "_old_keys", {}), module, state, f"{name}." if name else "")
    return state


def _rename(
    names: Mapping[str, str], module: nn.Module, state_dict: dict[str, Any], prefix: str, *_: Any
) -> None:
    for old, new in names.items():
        start = prefix + old
        found = [k for k in state_dict if k.startswith(start)] if old.endswith(".") else [start]
        for key in found:
            if key in state_dict:
                state_dict[prefix + new + key[len(start) :]] = state_dict.pop(key)
