"""Maps numbers in masks to classes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

NAMES = "classes.txt"
"""A file in the root: names for the numbers from 0, one a line."""

IGNORED = 255
"""Default of the number that is not a class."""


def mask_classes(
    root: Path,
    given: Sequence[str] | Mapping[int, str] | None,
    ignored: int | None,
    trained: Collection[int],
    found: Collection[int],
    first_with: Callable[[Sequence[int]], str],
) -> dict[int, str]:
    """Returns the names of the classes by their numbers.

    Args:
        root: The folder.
        given: Names, in the order of the numbers from 0 or by number; None for those of :data:`NAMES`, or else the
            numbers in the training masks.
        ignored: The number that is not a class.
        trained: Numbers in masks of the training set.
        found: Numbers in masks of the current set.
        first_with: Returns the name of an image whose mask has one of some numbers.

    Raises:
        ValueError: If masks have other numbers, or there are fewer than two classes.
    """
    named = _named(root, given)
    if named is None:
        named = {code: str(code) for code in sorted(trained)}
    named = {code: name for code, name in named.items() if code != ignored}
    twice = sorted({name for name in named.values() if list(named.values()).count(name) > 1})
    if twice:
        raise ValueError(f"{root}: the class {twice[0]!r} more than once, expected different names")
    if len(named) < 2:
        numbers = ", ".join(map(str, sorted(trained)))
        raise ValueError(
            f"{root}: the numbers {numbers} in the masks of train, where {ignored} is not a class; expected two "
            f"classes or more; the option 'ignored' sets the number that is not a class, null if all are classes"
        )
    others = sorted(set(found) - set(named) - {ignored})
    if others:
        known = ", ".join(f"{code} {name}" for code, name in named.items())
        raise ValueError(
            f"{root}: the mask of {first_with(others)} has the number {others[0]}, expected some of {known}, or "
            f"{ignored} for none; {NAMES} or the option 'classes' names them"
        )
    return named


def _named(root: Path, given: Sequence[str] | Mapping[int, str] | None) -> dict[int, str] | None:
    """Names by number; None if nobody has given any."""
    if isinstance(given, Mapping):
        # in a configuration that was written and read again the keys are strings
        wrong = [code for code in given if not str(code).isdecimal() or int(code) > 255]
        if wrong:
            raise ValueError(f"classes: expected names by number from 0 to 255, got {wrong[0]!r}")
        return dict(sorted((int(code), str(name)) for code, name in given.items()))
    if given is None:
        path = root / NAMES
        if not path.is_file():
            return None
        given = _lines(path)
    if len(given) > 256:
        raise ValueError(f"{NAMES} or the option 'classes': {len(given)} names, expected at most 256")
    return dict(enumerate(map(str, given)))


def _lines(path: Path) -> list[str]:
    """Reads names, one a line; refuses blank lines between them, which would shift the numbers of later names."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected text in UTF-8 ({error})") from error
    if "" in lines:
        raise ValueError(
            f"{path}: line {lines.index('') + 1} is empty, expected the name of a number in each"
        )
    return lines
