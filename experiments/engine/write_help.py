"""Writes the help pages that come with the package: ``python -m ccnn_geo.experiments.engine.write_help``."""

from __future__ import annotations

from collections.abc import Callable

from ccnn_geo.cli._main import COMMANDS
from ccnn_geo.cli.help_pages import write_pages
from ccnn_geo.experiments.engine.studies import EFFICIENCY, NAMES


def shipped_pages() -> dict[tuple[str, ...], Callable[[list[str]], None]]:
    """Maps the name and arguments of each page to its command."""
    lines = [("train", "--help"), ("train", "--help-all"), ("test", "--help"), ("test", "--help-all")]
    studies = [("reproduce", name, "--help") for name in (*NAMES, *EFFICIENCY)]
    return {line: COMMANDS[line[0]] for line in (*lines, ("reproduce", "--help"), *studies)}


if __name__ == "__main__":
    write_pages(shipped_pages())
