"""Messages about unknown options: the option, and the nearest known one."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any, get_args

from ccnn_geo._base.nearest import did_you_mean

_UNKNOWN = re.compile(r"unrecognized arguments: (\S+)")
_IN_GROUP = re.compile(r"Group '([\w.]+)' does not accept option '([\w.]+)'")
_IN_TYPE = re.compile(r"Parser key \"([\w.]+)\".*Option '([\w.]+)' is not accepted", re.DOTALL)
_NOWHERE = re.compile(r"Option '([\w.]+)' is not accepted")
_CHOICE = re.compile(r"invalid choice: '?([^' ]+)'? \(choose from (.*)\)")


def explain(message: str, options: Iterable[str]) -> str:
    """Adds the likely intention to a parser's message about an unknown option or choice.

    Args:
        message: The message of argparse or jsonargparse.
        options: All options that the parser knows, with their dashes.

    Example:
        >>> explain("unrecognized arguments: --optim.lrr 0.1", ["--optim.lr", "--seed"])
        '--optim.lrr: no such option; did you mean --optim.lr?'
        >>> explain("Group 'optim' does not accept option 'lrr'", ["--optim.lr", "--seed"])
        'optim.lrr: no such option; did you mean optim.lr?'
    """
    known = list(options)
    if found := _UNKNOWN.search(message):
        name = found[1].partition("=")[0]
        if not name.startswith("-"):
            return message
        return f"{name}: no such option{did_you_mean(name, known)}"
    if found := _CHOICE.search(message):
        choices = [choice.strip(" '\"") for choice in found[2].split(",")]
        return message + did_you_mean(found[1], choices)
    keys = [option.removeprefix("--") for option in known]
    for pattern in (_IN_GROUP, _IN_TYPE, _NOWHERE):
        if found := pattern.search(message):
            key = ".".join(found.groups())
            return f"{key}: no such option{did_you_mean(key, keys)}"
    return message


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """All options of a parser, of its subcommands, and of the data classes among its options."""
    found: list[str] = []
    for action in parser._actions:
        found += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            found += [option for below in action.choices.values() for option in options_of(below)]
        for kind in _data_classes(getattr(action, "_typehint", None)):
            found += [f"{option}.{field.name}" for option in action.option_strings for field in fields(kind)]
    return found


def _data_classes(hint: Any) -> list[Any]:
    return [kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and is_dataclass(kind)]


def parse(parser: argparse.ArgumentParser, arguments: list[str]) -> Any:
    """Parses arguments.

    Raises:
        argparse.ArgumentError: If an option is unknown; the message names it and the nearest known one.
    """
    try:
        return parser.parse_args(arguments)
    except argparse.ArgumentError as error:
        raise argparse.ArgumentError(None, explain(str(error), options_of(parser))) from error
