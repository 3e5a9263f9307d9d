"""Groups errors of many files by kind: one line for forty files that are cut off."""

from __future__ import annotations

import re
from collections.abc import Sequence

KINDS = (
    (re.compile(r"truncated|cut off|damaged|ends in|no more bytes", re.I), "are cut off or damaged"),
    (re.compile(r"^empty\b|\bfile is empty\b", re.I), "are empty"),
    (re.compile(r"cannot be opened|cannot be read", re.I), "cannot be opened"),
    (re.compile(r"\bNaN\b|\bInf\b|not finite"), "hold NaN or infinite numbers"),
)
"""Patterns of what was found, and their meaning in the plural; the first match counts, the expectation is ignored."""

MOST = 20
"""Most lines to print."""

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_DETAIL = re.compile(r"'[^']*'|\"[^\"]*\"|b'[^']*'|[-+]?\d[\d.,e+-]*|\S*/\S*")
"""Details in which messages of the same kind differ."""


def group_errors(errors: Sequence[str], few: int = 3) -> list[str]:
    """Joins messages of one kind into one line if there are more than a few.

    Args:
        errors: Messages that begin with the name of a file and a colon.
        few: Messages of a kind that are listed one by one.

    Example:
        >>> group_errors([f"{i}.off: truncated, {i} bytes, expected 9" for i in range(12)] + ["a.off: no vertices"])
        ['12 files are cut off or damaged, such as 0.off: truncated, 0 bytes, expected 9', 'a.off: no vertices']
    """
    groups: dict[str, list[str]] = {}
    for error in errors:
        groups.setdefault(_kind(error), []).append(error)
    lines = []
    for kind, group in groups.items():
        said = kind if kind in [words for _, words in KINDS] else "cannot be used"
        lines += group if len(group) <= few else [f"{len(group)} files {said}, such as {group[0]}"]
    return lines[:MOST] + ([f"and {len(lines) - MOST} more"] if len(lines) > MOST else [])


def _kind(error: str) -> str:
    text = error.partition(": ")[2] or error
    found = _QUOTED.sub("", text.partition(", expected ")[0])
    return next((words for pattern, words in KINDS if pattern.search(found)), _DETAIL.sub("#", text))
