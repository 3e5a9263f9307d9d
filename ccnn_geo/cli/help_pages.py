"""Stored help pages of the commands that need torch and Lightning to list their options.

The import of both takes some seconds. The page depends only on the installed versions and the sources of this
package. So the pages of ``train``, ``test`` and ``reproduce`` come with the package, made with the versions of
``constraints.txt``; ``python -m ccnn_geo.experiments.engine.write_help`` writes them again. With other versions, and
for other data sets, a page is made when it is first shown and kept in the cache folder under a digest of all that it
depends on. All pages have one width, that of the narrowest terminals.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from ccnn_geo._base.cache_folder import cache_folder

HELP = ("-h", "--help", "--help-all")
HERE = Path(__file__).parent
PACKAGE = HERE.parent
PAGES = HERE / "pages"
"""The pages that come with the package, and the versions they were made with."""

COLUMNS = "80"
SHOWN = ("pytorch-lightning", "jsonargparse", "docstring-parser")
"""Packages that a page depends on; it shows nothing of torch."""
ABSENT = "missing"
"""Stands for the version of a missing package."""

Command = Callable[[list[str]], None]


def is_general(command: str, arguments: Sequence[str]) -> bool:
    """Whether arguments ask only for help, perhaps for one data set or study, so that no file matters.

    Example:
        >>> is_general("train", ["--data.dataset", "cifar10", "--help"])
        True
        >>> is_general("train", ["--config", "a.yaml", "--help"])
        False
    """
    rest = [a for a in arguments if a not in HELP]
    named = (len(rest) == 2 and rest[0] == "--data.dataset") or (len(rest) == 1 and command == "reproduce")
    return len(rest) < len(arguments) and (not rest or named)


def show_help(command: str, arguments: Sequence[str], make: Command) -> None:
    """Prints a stored page, or makes it with ``make(arguments)``.

    Args:
        command: The name of the command.
        arguments: The arguments that ask for help, see :func:`is_general`.
        make: The command; it prints its help and exits, as ``argparse`` does.
    """
    asked = ["--help" if a == "-h" else a for a in arguments]
    text = shipped_page(command, asked)
    sys.stdout.write(_remembered(command, asked, make) if text is None else text)


def shipped_page(command: str, arguments: Sequence[str]) -> str | None:
    """The page that comes with the package; None if there is none, or if other versions are installed.

    Without the extra that the command needs, it is still the best page to show.
    """
    page = _page(command, arguments)
    if page.parent != PAGES:  # a name with slashes
        return None
    try:
        made_with = (PAGES / "versions.txt").read_text(encoding="utf-8").splitlines()
        known = _versions()
        fits = made_with == known or any(line.endswith(ABSENT) for line in known)
        return page.read_text(encoding="utf-8") if fits else None
    except OSError:
        return None


def live_page(arguments: Sequence[str], make: Command) -> str:
    """The help that a command prints, as wide as all pages."""
    page, before = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = COLUMNS
    try:
        with contextlib.redirect_stdout(page):
            make(list(arguments))
    except SystemExit as end:
        if end.code not in (0, None):
            raise
    finally:
        os.environ.pop("COLUMNS")
        os.environ.update({} if before is None else {"COLUMNS": before})
    return re.sub(r".\x08", "", page.getvalue())  # a parser erases a space with a backspace


def write_pages(pages: Mapping[tuple[str, ...], Command]) -> None:
    """Writes the pages that come with the package, and the versions that are installed.

    Args:
        pages: Commands by name and arguments, such as ``("train", "--help")``.
    """
    for (command, *arguments), make in pages.items():
        _keep(live_page(arguments, make), _page(command, arguments))
    _keep("".join(f"{line}\n" for line in _versions()), PAGES / "versions.txt")


def _page(command: str, arguments: Sequence[str]) -> Path:
    return PAGES / f"{'.'.join(part.lstrip('-') for part in (command, *arguments))}.txt"


def _remembered(command: str, arguments: Sequence[str], make: Command) -> str:
    name = f"help-{_digest([command, *arguments])}.txt"
    try:
        return (cache_folder() / name).read_text(encoding="utf-8")
    except OSError:
        text = live_page(arguments, make)
        with contextlib.suppress(OSError):  # the folder may be read-only
            _keep(text, cache_folder() / name)
        return text


def _keep(text: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=place.parent, delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)  # for all users of an installed package
    os.replace(file.name, place)  # complete or absent


def _versions() -> list[str]:
    return [f"{name} {_version(name)}" for name in SHOWN]


def _version(name: str) -> str:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ABSENT


def _digest(arguments: Sequence[str]) -> str:
    parts = [*arguments, platform.python_version(), *_versions()]
    for folder in (PACKAGE, PACKAGE.parent / "datasets", PACKAGE.parent / "experiments"):
        sources = sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".yaml"))
        parts += [f"{p} {p.stat().st_mtime_ns}" for p in sources]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
