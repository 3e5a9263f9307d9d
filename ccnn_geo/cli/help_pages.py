"""Help pages of commands whose options are those of torch and Lightning, remembered from their first showing.

To say which options there are takes the import of both, some seconds. The page depends on nothing but the versions
installed, the sources of this package and the width of the terminal, so it is kept in the cache folder under a
digest of these.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from ccnn_geo._base.cache_folder import cache_folder

HELP = ("-h", "--help", "--help-all")
HERE = Path(__file__).parents[1]
SHOWN = ("torch", "pytorch-lightning", "jsonargparse", "docstring-parser")
"""Packages whose versions decide what a page says."""


def is_general(arguments: Sequence[str]) -> bool:
    """Whether help is asked for and nothing else, but perhaps for one data set: no file takes part then.

    Example:
        >>> is_general(["--data.dataset", "cifar10", "--help"]), is_general(["--config", "a.yaml", "--help"])
        (True, False)
    """
    rest = [a for a in arguments if a not in HELP]
    named = len(rest) == 2 and rest[0] == "--data.dataset"
    return len(rest) < len(arguments) and (not rest or named)


def show_help(command: str, arguments: Sequence[str], make: Callable[[list[str]], None]) -> None:
    """Prints a page, which ``make(arguments)`` prints if it is not known yet.

    Args:
        command: Its name.
        arguments: Those that ask for help, see :func:`is_general`.
        make: The command; it prints its help and exits, as ``argparse`` does.
    """
    place = cache_folder() / f"help-{_digest([command, *arguments])}.txt"
    try:
        text = place.read_text(encoding="utf-8")
    except OSError:
        text = _printed(make, list(arguments))
        with contextlib.suppress(OSError):  # a folder that cannot be written to
            _keep(text, place)
    sys.stdout.write(text)


def _printed(make: Callable[[list[str]], None], arguments: list[str]) -> str:
    page = io.StringIO()
    try:
        with contextlib.redirect_stdout(page):
            make(arguments)
    except SystemExit as end:
        if end.code not in (0, None):
            raise
    return page.getvalue()


def _keep(text: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=place.parent, delete=False) as file:
        file.write(text)
    os.replace(file.name, place)  # complete or absent


def _digest(arguments: Sequence[str]) -> str:
    parts = [*arguments, platform.python_version(), str(shutil.get_terminal_size().columns)]
    parts += [f"{name} {metadata.version(name)}" for name in SHOWN]
    for folder in (HERE, HERE.parent / "datasets", HERE.parent / "experiments"):
        sources = sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".yaml"))
        parts += [f"{p} {p.stat().st_mtime_ns}" for p in sources]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
