"""Sums up many files in few lines: ranges of numbers, counts of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

MOST_WORDS = 6
"""Most words of a kind that are listed."""


def summarise(seen: Sequence[Mapping[str, Any]], noun: str = "file") -> list[tuple[str, str]]:
    """Sums up properties of files, as rows of name and text, in the order of first appearance.

    Args:
        seen: Properties of each file by name: numbers, ranges (pairs of numbers), words, lists of words, or counts by
            word ("" for none).
        noun: Word for a file.

    Example:
        >>> summarise([{"points": 3, "format": ".off"}, {"points": 1200, "format": ".off"}])
        [('points', '3 to 1,200, median 601.5'), ('format', '.off (2 files)')]
    """
    names = dict.fromkeys(name for one in seen for name in one)
    return [(name, _told([one[name] for one in seen if name in one], noun)) for name in names]


def _told(values: Sequence[Any], noun: str) -> str:
    if isinstance(values[0], Mapping):
        total = Counter[Any]()
        for value in values:
            total.update(value)
        return ", ".join(
            f"{'none' if word == '' else word} ({count:,})" for word, count in sorted(total.items())
        )
    if isinstance(values[0], list):
        return _words(Counter(word for value in values for word in value), noun, len(values))
    if isinstance(values[0], str):
        return _words(Counter(values), noun)
    if isinstance(values[0], tuple):
        return f"{number(min(low for low, _ in values))} to {number(max(high for _, high in values))}"
    low, high = min(values), max(values)
    return number(low) if low == high else f"{number(low)} to {number(high)}, median {number(median(values))}"


def _words(counts: Counter[str], noun: str, files: int | None = None) -> str:
    """Lists words with the number of their files; without a number if all files have, or could have, the word."""
    listed = [
        word if count == files else f"{word} ({count:,} {noun}{'s' * (count > 1)})"
        for word, count in (counts.most_common(MOST_WORDS) if files is None else counts.items())
    ]
    shown = listed[: 2 * MOST_WORDS]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def number(value: float) -> str:
    """Writes a number in four digits, a whole one in full."""
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:,.1f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
