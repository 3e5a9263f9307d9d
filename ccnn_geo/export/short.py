"""What a predictor and its answers print: one line, shapes in the place of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from ccnn_geo.nn.ccnn import CCNN

MOST = 3
"""Names that are shown of many."""


class Told(str):
    """Text that is shown as it is, without quotes."""


def told_network(network: CCNN) -> Told:
    """Its channels and size."""
    count = sum(parameter.numel() for parameter in network.parameters())
    return Told(f"CCNN({network.in_channels} -> {network.out_channels}, {count:,} parameters)")


def short_repr(of: object, **facts: Any) -> str:
    """As a dataclass prints itself, with shapes in the place of arrays and the first of many names.

    Args:
        of: Whose class is named.
        **facts: What is shown; None is not.

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
