"""Short text forms of a predictor and its predictions: one line, with shapes in place of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from ccnn_geo.nn.ccnn import CCNN

MOST = 3
"""Most names to show."""


class Told(str):
    """Text that is shown without quotes."""


def told_network(network: CCNN) -> Told:
    """The channels and size of a network."""
    count = sum(parameter.numel() for parameter in network.parameters())
    return Told(f"CCNN({network.in_channels} -> {network.out_channels}, {count:,} parameters)")


def short_repr(of: object, **facts: Any) -> str:
    """The form of a dataclass, with shapes in place of arrays and only the first of many names.

    Args:
        of: An object of the class to name.
        **facts: Values to show; None is skipped.

    Example:
        >>> short_repr(np.zeros(2), x=np.zeros((4, 2)), energy=-417.25, kinds=("a", "b", "c", "d"), unit=None)
        "ndarray(x=[4, 2], energy=-417.25, kinds=('a', 'b', 'c', ... 4 in all))"
    """
    told = [f"{name}={_short(value)}" for name, value in facts.items() if value is not None]
    return f"{type(of).__name__}({', '.join(told)})"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return str(list(value.shape))
    if isinstance(value, float):
        return repr(float(f"{value:.6g}"))
    if isinstance(value, Mapping):
        parts = [f"{name!r}: {_short(one)}" for name, one in islice(value.items(), MOST)]
        return f"{{{', '.join(parts)}{_more(value)}}}"
    if isinstance(value, tuple):
        parts = [_short(one) for one in value[:MOST]]
        end = "," if len(value) == 1 else _more(value)
        return f"({', '.join(parts)}{end})"
    return str(value) if isinstance(value, Told) else repr(value)


def _more(values: Mapping[str, Any] | tuple[Any, ...]) -> str:
    return f", ... {len(values)} in all" if len(values) > MOST else ""
