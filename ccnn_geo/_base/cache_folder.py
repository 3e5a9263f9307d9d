"""The folder for files made once per machine: compiled loops, help pages."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$CCNN_GEO_CACHE`` if it is set, else ``ccnn_geo`` in the user's cache folder.

    Raises:
        FileNotFoundError: If the user has no home folder, as in a container with an arbitrary user id; then nothing is
            cached.
    """
    if given := os.environ.get("CCNN_GEO_CACHE"):
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ccnn_geo"
    except RuntimeError as error:
        raise FileNotFoundError("there is no home folder; set CCNN_GEO_CACHE to another") from error
