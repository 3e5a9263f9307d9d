"""Trained networks that come with the package."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

from ccnn_geo._base.nearest import did_you_mean
from ccnn_geo.io.models.folder import CONFIG, read_config


def packaged_models() -> dict[str, Mapping[str, Any]]:
    """Facts about each network by name: its predictions, its training data, its accuracy.

    Example:
        >>> packaged_models()["shapes10"]["title"]
        'ten kinds of shapes'
    """
    found = sorted(path for path in _home().iterdir() if (path / CONFIG).is_file())
    return {path.name: {**read_config(path)["about"], "folder": path} for path in found}


def packaged_folder(source: str | PathLike[str]) -> Path | None:
    """The folder of a packaged network, if a source names one and no local network has that name.

    Raises:
        FileNotFoundError: If a source could be such a name, but nothing has it, neither here nor in the package.
    """
    if not isinstance(source, str) or not source.isidentifier() or _holds_network(Path(source)):
        return None
    folder = _home() / source
    if (folder / CONFIG).is_file():
        return folder
    if Path(source).exists():
        return None
    known = [path.name for path in sorted(_home().iterdir()) if (path / CONFIG).is_file()]
    raise FileNotFoundError(
        f"{source}: no such checkpoint, run or folder, and no network that comes with the package: "
        f"{', '.join(known)}{did_you_mean(source, known)}"
    )


def _holds_network(path: Path) -> bool:
    """Whether a path is a file, or a folder of an exported network, of a run or of runs."""
    if not path.is_dir():
        return path.is_file()
    inside = ("checkpoints/*.ckpt", "*/checkpoints/*.ckpt")
    return (path / CONFIG).is_file() or any(next(path.glob(pattern), None) for pattern in inside)


def _home() -> Path:
    return Path(str(files("ccnn_geo.export"))) / "models"
