"""Arguments of a network as stored in a file, and the network built from them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import torch
from torch import nn

from ccnn_geo._base.pyg import MessagePassing
from ccnn_geo._base.version import VERSION
from ccnn_geo.kernels.config import KernelConfig
from ccnn_geo.nn.conv.base import ContinuousConv

Network = TypeVar("Network", bound=nn.Module)
SHOWN = 4
"""Number of names that an error lists before it counts the rest."""


def made(cls: type[Network], given: Mapping[str, Any], where: str) -> Network:
    """Builds a network from plain arguments, without changing the state of random generators."""
    own = inspect.signature(cls.__init__).parameters
    needed = {name for name, p in own.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD}
    missing = needed - {"self", *given}
    if missing:
        raise ValueError(f"{where}: the network lacks {listed(missing)}")
    known = {*own, *conv_defaults(), *defaults(MessagePassing)}
    unknown = {name for name in given if name not in known}
    if unknown:
        raise ValueError(
            f"{where}: the network has {listed(unknown)}, which ccnn_geo {VERSION} does not know; "
            "the release that wrote it does"
        )
    with torch.random.fork_rng(devices=[]):
        try:
            return cls(**given)
        except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:  # for impossible sizes
            raise ValueError(f"{where}: {str(error).partition(chr(10))[0]}") from error


def conv_defaults() -> dict[str, Any]:
    """Optional arguments of a convolution, including those of its kernel."""
    own = {name: value for name, value in defaults(ContinuousConv).items() if name != "config"}
    return {**asdict(KernelConfig()), **own}


def defaults(cls: type) -> dict[str, Any]:
    """Optional arguments of a constructor."""
    found = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in found if p.default is not p.empty}


def listed(names: Iterable[str]) -> str:
    """Lists the first few names, and counts the rest."""
    names = sorted(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def plain(value: Any, name: str) -> Any:
    """Converts a value for JSON: numbers of arrays become Python's, tuples become lists."""
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(entry, name) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry, name) for entry in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ValueError(f"CCNN.config: expected a plain value for {name}, got {value!r}")
