"""Folders of runs: ``runs/<name>/<number>`` with config, metrics, checkpoints and pictures."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

from ccnn_geo._base.nearest import did_you_mean
from ccnn_geo.io.models.checkpoint import BEST, LAST, PREVIOUS, find_damage, run_folder
from ccnn_geo.training.files import write_text

RESULTS = "results.json"

RUN = "CCNN_GEO_RUN"
"""Tells the processes that Lightning starts from the first one where the run is."""


def claim_run(out: str | None, name: str, is_first: bool) -> Path:
    """The folder of a new run, created by its first process.

    Args:
        out: The folder, if given.
        name: Name of the run.
        is_first: Whether this process has the global rank 0.

    Raises:
        ValueError: If ``out`` holds another run, or is missing although torchrun or SLURM start the processes.
    """
    if not is_first and RUN in os.environ:
        return Path(os.environ[RUN])
    if out is None and (not is_first or _started_together()):
        raise ValueError("--out: expected the folder of the run, which processes started together must share")
    folder = new_run(out, name) if is_first or out is None else Path(out).expanduser()
    os.environ[RUN] = str(folder)
    return folder


def _started_together() -> bool:
    sizes = {"RANK": "WORLD_SIZE", "SLURM_PROCID": "SLURM_NTASKS"}
    return any(rank in os.environ and int(os.environ.get(size, 1)) > 1 for rank, size in sizes.items())


def new_run(out: str | None, name: str, root: Path = Path("runs")) -> Path:
    """Creates the folder of a new run: ``out``, or the next free number in ``runs/<name>``.

    Raises:
        ValueError: If ``out`` holds more than the remains of a failed start.
    """
    if out is not None:
        folder = Path(out).expanduser()
        if folder.exists() and not (folder.is_dir() and _is_leftover(folder)):
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


def _is_leftover(folder: Path) -> bool:
    """Whether a folder holds only the remains of a start that failed, or was killed in its first epoch."""
    metrics, checkpoints = folder / "metrics.csv", folder / "checkpoints"
    if not _names(folder) <= {"config.yaml", metrics.name, checkpoints.name}:
        return False
    few = not metrics.is_file() or len(metrics.read_text().splitlines()) <= 2  # the header and one epoch
    return few and (not checkpoints.is_dir() or _names(checkpoints) <= {BEST})


def _names(folder: Path) -> set[str]:
    """Names in a folder, without unfinished files of killed processes."""
    return {p.name for p in folder.iterdir() if not (p.name.startswith(".") and p.name.endswith(".tmp"))}


def find_resume(path: str | None, out: str | None, name: str | None, root: Path = Path("runs")) -> Path:
    """The checkpoint to continue from.

    Args:
        path: A checkpoint, the folder of a run, or ``runs/NAME`` for its newest; None for the newest run.
        out: Folder of the run, if given.
        name: Name of the runs to search for the newest; None if there is none, in which case only one name may exist.
        root: Folder of all runs.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If ``out`` is not the folder of that run, or if there are runs with several names.
    """
    if path is not None and out is not None:
        run = run_of(find_resume(path, None, name, root))
        if run.resolve() != Path(out).expanduser().resolve():
            raise ValueError(f"--out {out}: expected {run}, which --resume continues, or no --out")
    given = path if path is not None else out
    if given is not None:
        place = Path(given).expanduser()
        if place.is_file():
            return place
        inside = Path("checkpoints") / LAST
        checkpoint = run_folder(place, inside) / inside
        if not checkpoint.is_file():
            why = "; no epoch of it was complete, start again" if place.is_dir() else f" and no file {place}"
            raise FileNotFoundError(f"--resume: no checkpoint {checkpoint}{why}")
        return checkpoint
    inside = Path("checkpoints") / LAST
    name = _only_name(root, inside) if name is None else name
    newest = run_folder(root / name, inside) / inside
    if not newest.is_file():
        raise FileNotFoundError(
            f"--resume: no {root / name}/*/checkpoints/last.ckpt; name a run or checkpoint"
        )
    return newest


def _only_name(root: Path, inside: Path) -> str:
    """The only name with runs that can resume; ``*`` if there is none."""
    names = sorted({checkpoint.relative_to(root).parts[0] for checkpoint in root.glob(f"*/*/{inside}")})
    if len(names) > 1:
        known = ", ".join(str(root / name) for name in names)
        raise ValueError(f"--resume: expected one of {known}, or a run or checkpoint in them, got no name")
    return names[0] if names else "*"


def previous_if_damaged(checkpoint: Path) -> Path:
    """The checkpoint to continue from; if the last epoch's is damaged, that of the epoch before.

    Raises:
        FileNotFoundError: If there is no earlier one.
    """
    if find_damage(checkpoint) is None:
        return checkpoint
    previous = checkpoint.with_name(PREVIOUS)
    if not previous.is_file():
        raise FileNotFoundError(f"--fallback: {checkpoint} is damaged, and there is no {previous}")
    return previous


def run_of(checkpoint: Path) -> Path:
    """The folder of the run that a checkpoint belongs to, otherwise the folder that it is in."""
    parent = checkpoint.absolute().parent
    folder = parent.parent if parent.name == "checkpoints" else parent
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def find_config(name: str) -> Path:
    """The file of a configuration: a path, or the name of a packaged one such as ``demo``.

    Raises:
        FileNotFoundError: If there is neither; the message gives the new name, or lists the packaged ones.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    packaged = _packaged() / f"{name.removesuffix('.yaml')}.yaml"
    if packaged.is_file():
        return packaged
    known = packaged_configs()
    renamed = f"{name.removesuffix('.yaml')}_paper"  # renamed when other recipes for the same task appeared
    if renamed in known:
        raise FileNotFoundError(f"--config {name}: no such file; the configuration is now called {renamed}")
    meant = did_you_mean(name.removesuffix(".yaml"), known)
    others = "" if meant else f", and not one of {', '.join(known)}"
    raise FileNotFoundError(f"--config {name}: no such file{others}{meant}")


def packaged_configs() -> list[str]:
    """Names of the configurations that come with the package."""
    folder = _packaged()
    return sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml"))


def _packaged() -> Path:
    return Path(str(files("ccnn_geo.experiments")))


def with_config_paths(arguments: list[str]) -> list[str]:
    """Replaces the names of packaged configurations by their files."""
    result, expect = [], False
    for argument in arguments:
        if expect:
            result.append(str(find_config(argument)))
        elif argument.startswith("--config="):
            result.append(f"--config={find_config(argument.removeprefix('--config='))}")
        else:
            result.append(argument)
        expect = argument == "--config"
    return result


def without_config(arguments: list[str]) -> list[str]:
    """Leaves ``--config`` and its value out."""
    pairs = zip(["", *arguments], arguments, strict=False)
    return [a for before, a in pairs if "--config" not in (before, a) and not a.startswith("--config=")]


def discard_run(folder: Path, numbered: bool = True) -> bool:
    """Removes the folder of a failed start, unless it has a complete epoch; returns whether it was removed.

    Args:
        folder: Folder that the start has created.
        numbered: Whether it is ``runs/NAME/NUMBER``; if so, an empty ``runs/NAME`` is removed too.
    """
    if not _names(folder) <= {"config.yaml", "checkpoints"} or any((folder / "checkpoints").glob("[!.]*")):
        return False
    shutil.rmtree(folder)
    if numbered:
        with suppress(OSError):  # other runs of this name exist
            folder.parent.rmdir()
    return True


def add_result(folder: Path, values: dict[str, Any]) -> None:
    """Merges values into ``results.json`` of a run."""
    write_text(folder / RESULTS, json.dumps({**read_results(folder), **values}, indent=2) + "\n")


def read_results(folder: Path) -> dict[str, Any]:
    """Reads ``results.json`` of a run; empty if there is none.

    Raises:
        ValueError: If it is not valid JSON.
    """
    path = folder / RESULTS
    try:
        found = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON, got {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected an object with an entry per result, got {type(found).__name__}")
    return found


def result_name(label: str, trained: str, about: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """The name of a result on the test set; it never replaces a result of another checkpoint or other data.

    ``test_points`` belongs to the best checkpoint on the data that it was trained for, ``test_points_last`` to
    ``last.ckpt``; results with other settings are numbered. The same test again has the same name.

    Args:
        label: Label of the data.
        trained: Label of the data that the checkpoint was trained for.
        about: ``checkpoint``, and ``settings`` that differ from those of the training.
        results: Existing results.
    """
    stem = Path(about["checkpoint"]).stem
    base = f"test_{label}" + ("" if stem == Path(BEST).stem else f"_{stem}")
    first = 2 if label == trained and about["settings"] else 1
    names = (base if number == 1 else f"{base}_{number}" for number in count(first))
    return next(name for name in names if name not in results or _is_of(results[name], about))


def _is_of(result: Mapping[str, Any], about: Mapping[str, Any]) -> bool:
    # earlier releases did not store the settings
    return all({"settings": {}, **result}.get(key) == value for key, value in about.items())


def results_before(results: Mapping[str, Any], about: Mapping[str, Any]) -> list[str]:
    """Names of test results that belong to an earlier checkpoint of the same name.

    Args:
        results: Existing results.
        about: ``checkpoint`` and ``step`` of the current one; empty if there is none.
    """
    name, step = about.get("checkpoint"), about.get("step")
    return [
        key
        for key, result in results.items()
        if key.startswith("test_") and result.get("checkpoint") == name and result.get("step", step) != step
    ]
