"""What is wrong with many files, told by kind: of forty that are cut off one line, and not forty."""

from __future__ import annotations

import re
from collections.abc import Sequence

KINDS = (
    (re.compile(r"truncated|cut off|damaged|ends in|no more bytes", re.I), "are cut off or damaged"),
    (re.compile(r"^empty\b|\bfile is empty\b", re.I), "are empty"),
    (re.compile(r"cannot be opened|cannot be read", re.I), "cannot be opened"),
    (re.compile(r"\bNaN\b|\bInf\b|not finite"), "hold numbers that are none"),
)
"""Words of what was found, and what they mean in the plural; the first counts. What was expected says nothing."""

MOST = 20
"""Lines that are told."""

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_DETAIL = re.compile(r"'[^']*'|\"[^\"]*\"|b'[^']*'|[-+]?\d[\d.,e+-]*|\S*/\S*")
"""What differs between files of which the same is said."""


def group_errors(errors: Sequence[str], few: int = 3) -> list[str]:
    """Messages, where those of a kind are one line if they are more than a few.

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
