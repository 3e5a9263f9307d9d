"""Folders of runs: ``runs/<name>/<number>`` with config, metrics, checkpoints and pictures."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from ccnn_geo.training.files import write_text


def new_run(out: str | None, name: str, root: Path = Path("runs")) -> Path:
    """Creates the folder of a new run: ``out``, or the next free number in ``runs/<name>``.

    Raises:
        ValueError: If ``out`` exists and is not empty.
    """
    if out is not None:
        folder = Path(out).expanduser()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ValueError(
                f"--out {out}: not an empty folder; continue that run with --resume, or name another"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    parent = root / name
    parent.mkdir(parents=True, exist_ok=True)
    number = max([int(p.name) for p in parent.iterdir() if p.name.isdigit()], default=0)
    while True:
        number += 1
        folder = parent / f"{number:03d}"
        try:
            folder.mkdir()
        except FileExistsError:  # another run took it
            continue
        return folder


def find_resume(path: str | None, out: str | None, name: str, root: Path = Path("runs")) -> Path:
    """The checkpoint to continue from.

    Args:
        path: A checkpoint or the folder of a run; None for the newest run.
        out: Folder of the run, if it was given.
        name: Of the runs among which to look for the newest.
        root: Of all runs.

    Raises:
        FileNotFoundError: If there is none.
    """
    given = path if path is not None else out
    if given is not None:
        place = Path(given).expanduser()
        if place.is_file():
            return place
        checkpoint = place / "checkpoints" / "last.ckpt"
        if not checkpoint.is_file():
            raise FileNotFoundError(f"--resume: no checkpoint {checkpoint} and no file {place}")
        return checkpoint
    found = [p for p in (root / name).glob("*/checkpoints/last.ckpt") if p.parts[-3].isdigit()]
    if not found:
        raise FileNotFoundError(
            f"--resume: no {root / name}/*/checkpoints/last.ckpt; name a run or checkpoint"
        )
    return max(found, key=lambda p: int(p.parts[-3]))


def run_of(checkpoint: Path) -> Path:
    """The folder of the run that a checkpoint belongs to, else the folder it is in."""
    parent = checkpoint.absolute().parent
    folder = parent.parent if parent.name == "checkpoints" else parent
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def find_config(name: str) -> Path:
    """The file of a configuration: a path, or the name of a packaged one such as ``demo``.

    Raises:
        FileNotFoundError: If there is neither; the message lists the packaged ones.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    folder = Path(str(files("ccnn_geo.experiments")))
    packaged = folder / f"{name.removesuffix('.yaml')}.yaml"
    if packaged.is_file():
        return packaged
    known = sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml"))
    raise FileNotFoundError(f"--config {name}: no such file, and not one of {', '.join(known)}")


def add_result(folder: Path, values: dict[str, Any]) -> None:
    """Merges values into ``results.json`` of a run."""
    path = folder / "results.json"
    results = json.loads(path.read_text()) if path.is_file() else {}
    write_text(path, json.dumps({**results, **values}, indent=2) + "\n")
