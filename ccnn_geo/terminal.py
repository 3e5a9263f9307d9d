"""How commands speak to a terminal: one line for an error, plain tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

EXPECTED = (ValueError, OSError, ImportError)
"""Errors whose message says enough."""


class Failure(Exception):
    """The command has reported what failed; only the exit code is left to say."""


class OneLineParser(argparse.ArgumentParser):
    """Raises what argparse would print below its usage."""

    def error(self, message: str) -> NoReturn:
        raise argparse.ArgumentError(None, message)


def reason(error: Exception) -> str:
    """What an error says, with its name if it was not expected."""
    return str(error) if isinstance(error, EXPECTED) else f"{type(error).__name__}: {error}"


def complain(message: str) -> None:
    """Prints a message as one line of the error output."""
    print(f"ccnn-geo: {' '.join(message.split())}", file=sys.stderr)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
