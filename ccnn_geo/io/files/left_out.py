"""Texts that count skipped files and list the names of folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

NOWHERE, DEEPER, BESIDE = "a link that leads nowhere", "in subfolders", "beside the folders of the classes"
"""Reasons to skip a file; any other reason is its extension, which may be empty."""

MOST_KINDS = 6
"""Most reasons in one line."""


def told_counts(counts: Counter[str]) -> str:
    """Counts skipped files by reason; empty if there are none.

    Example:
        >>> told_counts(Counter({".heic": 3, "": 1, NOWHERE: 2}))
        '3 .heic files, 2 links that lead nowhere, 1 file without an extension'
    """
    listed = counts.most_common(MOST_KINDS)
    others = counts.total() - sum(number for _, number in listed)
    more = [f"{others} of other kinds"] if others else []
    return ", ".join([_told_count(reason, number) for reason, number in listed] + more)


def _told_count(reason: str, number: int) -> str:
    if reason == NOWHERE:
        return f"{number} link{'s that lead' if number > 1 else ' that leads'} nowhere"
    files = "files" if number > 1 else "file"
    if not reason:
        return f"{number} {files} without an extension"
    return f"{number} {files} {reason}" if reason in (DEEPER, BESIDE) else f"{number} {reason} {files}"


def told_number(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    Example:
        >>> told_number(1, "class", "classes"), told_number(1200, "problem")
        ('1 class', '1,200 problems')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def list_names(names: Sequence[str], most: int = 3) -> str:
    """The first names, and the number of the others.

    Example:
        >>> list_names(["3"]), list_names(["a", "b", "c", "d", "e"])
        ("'3'", "'a', 'b', 'c' and 2 more")
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"'{name}'" for name in names[:most]) + more
