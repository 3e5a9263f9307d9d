"""Splits files by a hash of their names: the same split on every machine and every day."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from ccnn_geo.io.files.left_out import told_number
from ccnn_geo.io.files.notices import say_once

VALIDATION, TEST = 0.15, 0.15
"""Shares of each class."""


def split_by_name(files: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    """Splits files 70:15:15 in every class, by a hash of their names.

    With three or more files in a class, each split gets at least one. From two files, one is for training and one for
    testing; a single file is for training. The order of the files, the Unicode form of their names and the other
    classes do not matter.

    Args:
        files: Name, relative to the root, and class of each.

    Returns:
        Ascending indices of ``train``, ``validation`` and ``test``.

    Example:
        >>> parts = split_by_name([(f"cup/{i}.off", 0) for i in range(20)])
        >>> {name: len(part) for name, part in parts.items()}
        {'train': 14, 'validation': 3, 'test': 3}
    """
    of_class: dict[int, list[int]] = {}
    for i, (_, label) in enumerate(files):
        of_class.setdefault(label, []).append(i)
    parts: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for members in of_class.values():
        drawn = sorted(members, key=lambda i: _rank(files[i][0]))
        tests = min(max(round(TEST * len(drawn)), 1), len(drawn) - 1)
        validates = min(max(round(VALIDATION * len(drawn)), 1), len(drawn) - 1 - tests)
        parts["test"] += drawn[:tests]
        parts["validation"] += drawn[tests : tests + validates]
        parts["train"] += drawn[tests + validates :]
    return {name: sorted(part) for name, part in parts.items()}


def told_split(
    root: Path, told: str, files: Sequence[tuple[str, int]], num_classes: int = 0
) -> dict[str, list[int]]:
    """Splits files by :func:`split_by_name` and prints a line about it.

    Args:
        root: The folder.
        told: The source of the files, in words, for the line.
        files: Name, relative to the root, and class of each.
        num_classes: 0 if files have no class each.
    """
    parts = split_by_name(files)
    of = f" of {told_number(num_classes, 'class', 'classes')}" if num_classes else ""
    counts = ", ".join(f"{len(part)} {split}" for split, part in parts.items())
    say_once(
        f"{root}: {told} without splits; {len(files)} files{of} are split by their names, the same on every machine: "
        f"{counts}"
    )
    return parts


def _rank(name: str) -> bytes:
    text = unicodedata.normalize("NFC", name)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
