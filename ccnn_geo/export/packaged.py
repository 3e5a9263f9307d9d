"""Trained networks that come with the package."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

from ccnn_geo.io.models.folder import CONFIG, read_config


def packaged_models() -> dict[str, Mapping[str, Any]]:
    """What is known of each, by its name: what it answers, on which data it was trained, how good it is.

    Example:
        >>> packaged_models()["shapes10"]["title"]
        'ten kinds of shapes'
    """
    found = sorted(path for path in _home().iterdir() if (path / CONFIG).is_file())
    return {path.name: {**read_config(path)["about"], "folder": path} for path in found}


def packaged_folder(source: str | PathLike[str]) -> Path | None:
    """The folder of a packaged network, if a source names one and nothing here is called so."""
    if not isinstance(source, str) or not source.isidentifier() or Path(source).exists():
        return None
    folder = _home() / source
    return folder if (folder / CONFIG).is_file() else None


def _home() -> Path:
    return Path(str(files("ccnn_geo.export"))) / "models"
