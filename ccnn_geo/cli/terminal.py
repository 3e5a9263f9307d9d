"""Terminal output of the commands: one line for an error, plain tables."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

EXPECTED = (ValueError, OSError, ImportError)
"""Errors with a message that says enough."""

_ROLE = re.compile(r":[a-z]+:`(?:[^`<]*<)?~?([^`>]+)>?`")


class Failure(Exception):
    """The command has reported the failure; only the exit code remains."""


class Paragraphs(argparse.HelpFormatter):
    """Formats a docstring as help: paragraphs as wide as the terminal, commands on lines, without remarks."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = []
        for part in plain(text).strip().split("\n\n"):
            lines = part.split("\n")
            if lines[0].startswith("    "):
                commands = [line.split("  #")[0].rstrip() for line in lines]
                parts += [textwrap.fill(command, width, subsequent_indent=" " * 6) for command in commands]
                parts.append("")
            else:
                parts += [textwrap.fill(part, width, break_on_hyphens=False), ""]
        return "\n".join(parts).rstrip()


class OneLineParser(argparse.ArgumentParser):
    """Raises the error that argparse would print below its usage."""

    def error(self, message: str) -> NoReturn:
        from ccnn_geo.cli.misspelt import explain, options_of

        raise argparse.ArgumentError(None, explain(message, options_of(self)))


def plain(text: str) -> str:
    """The text of a docstring without its markup.

    Example:
        >>> plain("A :class:`~ccnn_geo.nn.ccnn.CCNN`; ``null`` for none.")
        'A CCNN; null for none.'
    """
    return _ROLE.sub(lambda role: role[1].rsplit(".")[-1].lstrip("\\"), text).replace("``", "")


def add_command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    """Adds a subcommand; its own help and the list of commands share one text."""
    return commands.add_parser(name, help=text, description=text)


def reason(error: Exception) -> str:
    """The message of an error, with its type if it was not expected."""
    return str(error) if isinstance(error, EXPECTED) else f"{type(error).__name__}: {error}"


def complain(message: str) -> None:
    """Prints a message as one line of the error output."""
    print(f"ccnn-geo: {' '.join(message.split())}", file=sys.stderr)


def print_entries(entries: Iterable[tuple[str, str]]) -> None:
    """Prints names and their meanings in two columns, as wide as the terminal."""
    known = list(entries)
    indent = max(len(name) for name, _ in known) + 2
    width = shutil.get_terminal_size().columns
    for name, text in known:
        print(textwrap.fill(f"{name:<{indent}}{text}", width, subsequent_indent=" " * indent))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints one row per line, in columns as wide as they need to be."""
    from ccnn_geo.io.files.sample_files import printable

    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
