"""Reads checkpoints: executes nothing in them, and refuses files with changed bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ccnn_geo._base.caller import warn_caller

LAST, PREVIOUS, BEST = "last.ckpt", "previous.ckpt", "best.ckpt"
"""Checkpoints of a run: the last epoch, the one before it, the best validation score."""


def run_folder(path: Path, inside: Path) -> Path:
    """The folder of a run: the path itself, or the newest of its numbered runs that holds a certain file.

    Warns about newer runs without that file, because they may be the intended ones.

    Args:
        path: A path such as ``runs/demo/001`` or ``runs/demo``.
        inside: The file to look for in the run.
    """
    if (path / inside).is_file() or not path.is_dir():
        return path
    runs = sorted((p for p in path.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
    found = max((at for at, run in enumerate(runs) if (run / inside).is_file()), default=None)
    if found is None:
        return path
    if newer := [run.name for run in runs[found + 1 :]]:
        have = "has" if len(newer) == 1 else "have"
        warn_caller(f"{path}: {runs[found]} is used; {', '.join(newer)} {have} no {inside.as_posix()}")
    return runs[found]


def load_checkpoint(path: Path, map_location: Callable | torch.device | str | None = "cpu") -> dict[str, Any]:
    """Loads a checkpoint after comparing its checksums.

    ``torch.load`` does not compare them: a byte that changed on disk would become a weight.

    Args:
        path: The file.
        map_location: As for ``torch.load``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a checkpoint, or a damaged one; the message names the undamaged ones beside it.
    """
    if not path.is_file():
        beside = ", ".join(str(other) for other in _others(path))
        raise FileNotFoundError(f"{path}: no such checkpoint" + (f"; there is {beside}" if beside else ""))
    if (damage := find_damage(path)) is None:
        try:
            return torch.load(path, map_location=map_location, weights_only=True)
        except Exception as error:  # other archives raise errors of many types
            damage = type(error).__name__
    whole = [str(other) for other in _others(path) if find_damage(other) is None]
    advice = f"; not damaged: {', '.join(whole)}" if whole else ""
    raise ValueError(f"{path}: not a checkpoint of ccnn-geo train, or a damaged one ({damage}){advice}")


def find_damage(path: Path) -> str | None:
    """Describes damaged bytes of a checkpoint; None if all checksums agree."""
    if path.stat().st_size == 0:
        return "it is empty"
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.testzip()
    except (
        Exception
    ) as error:  # damage raises many types: BadZipFile, zlib.error, EOFError, NotImplementedError
        return str(error) or type(error).__name__
    return None if member is None else f"the checksum of {member} does not agree"


def _others(path: Path) -> list[Path]:
    beside = [path.with_name(name) for name in (LAST, PREVIOUS, BEST)]
    return [other for other in beside if other.is_file() and other != path]
