"""Suggestions for misspelt names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SIMILAR = 0.7
"""Smallest similarity of two names, as in :func:`difflib.get_close_matches`: one letter in five may differ."""


def nearest(given: object, known: Iterable[str]) -> str | None:
    """The known name nearest to the given one, or ``None`` if no name is near.

    Example:
        >>> nearest("shape/ccnn_4_32", ["shapes/ccnn_4_32", "demo"])
        'shapes/ccnn_4_32'
        >>> nearest("xyz", ["demo"]) is None
        True
    """
    names = {name.casefold(): name for name in known}
    found = get_close_matches(str(given).casefold(), list(names), n=1, cutoff=SIMILAR)
    return names[found[0]] if found else None


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """The end of a message about an unknown name; empty if no known name is near.

    Example:
        >>> did_you_mean("foldr", ["folder", "lidar"])
        '; did you mean folder?'
    """
    name = nearest(given, known)
    return "" if name is None else f"; did you mean {name}?"
