"""Which numbers in masks are which classes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

NAMES = "classes.txt"
"""A file in the root: names of the numbers from 0, a line each."""

IGNORED = 255
"""The number that is no class, by default."""


def mask_classes(
    root: Path,
    given: Sequence[str] | Mapping[int, str] | None,
    ignored: int | None,
    trained: Collection[int],
    found: Collection[int],
    first_with: Callable[[Sequence[int]], str],
) -> dict[int, str]:
    """Names of the classes, by their numbers.

    Args:
        root: The folder.
        given: Names, in the order of the numbers from 0 or by number; None for those of :data:`NAMES`, or else the
            numbers of the training masks.
        ignored: The number that is no class.
        trained: Numbers in masks of the training part.
        found: Numbers in masks of the part at hand.
        first_with: Names an image of it whose mask has some numbers.

    Raises:
        ValueError: If masks have other numbers, or there are no two classes.
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
            f"{root}: the numbers {numbers} in the masks of train, of which {ignored} is no class; expected two "
            f"classes or more; the option 'ignored' says which number is none, null for all being classes"
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
    """Names by number; None where nobody has given them."""
    if isinstance(given, Mapping):
        # a configuration that was written and read again has its keys as words
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
    """Names, a line each; a blank line among them would shift the numbers of those behind it."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected text in UTF-8 ({error})") from error
    if "" in lines:
        raise ValueError(
            f"{path}: line {lines.index('') + 1} is empty, expected the name of a number in each"
        )
    return lines
