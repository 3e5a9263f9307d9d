"""Reads a command line before its parser is chosen: the options of the data depend on the data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ccnn_geo._base.extras import needs
from ccnn_geo.training.runs import find_resume


def options(arguments: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    """Yields options and their values in order: value None if missing, option None for a positional argument."""
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-"):
            yield None, argument
        elif "=" in argument:
            option, _, value = argument.partition("=")
            yield option, value
        else:
            yield argument, rest.pop(0) if rest and not rest[0].startswith("--") else None


def named_dataset(arguments: Sequence[str], default: str = "parametric") -> str:
    """The data set that ``--data.dataset`` or a configuration names last, as the parser will see it."""
    name: Any = default
    for option, value in options(arguments):
        if option == "--data.dataset":
            name = value
        elif option in ("--config", "--data") and value is not None:
            settings = _read(value)
            name = (_section(settings, "data") if option == "--config" else settings).get("dataset", name)
    return str(name)


def resume_point(arguments: Sequence[str]) -> Path | None:
    """The checkpoint that ``--resume`` refers to; None without that option.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If ``--out`` is not the folder of that run, or if several runs fit.
    """
    given = {option: value for option, value in options(arguments) if option in ("--out", "--resume")}
    if "--resume" not in given:
        return None
    return find_resume(given["--resume"], given.get("--out"), named_run(arguments))


def named_run(arguments: Sequence[str]) -> str | None:
    """The name of a command line's runs; None if it has none.

    The name is ``--name``, or ``name`` of a configuration, else the configuration's file, else the data set.
    """
    said: Any = None
    file = None
    for option, value in options(arguments):
        if option == "--config" and value is not None:
            said, file = _read(value).get("name") or said, Path(value).stem
        elif option == "--name":
            said = value
    return str(said or file or named_dataset(arguments, "")) or None


def first_positional(arguments: Sequence[str]) -> str | None:
    """The first argument that is neither an option nor its value."""
    return next((value for option, value in options(arguments) if option is None), None)


def _read(path: str) -> dict[str, Any]:
    """A configuration; empty if it cannot be read, which the parser will report."""
    with needs("train", "configurations"):
        import yaml
    try:
        settings = yaml.safe_load(Path(path).read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _section(settings: dict[str, Any], key: str) -> dict[str, Any]:
    section = settings.get(key)
    return section if isinstance(section, dict) else {}
