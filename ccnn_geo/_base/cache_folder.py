"""Where this package keeps what it makes once per machine: compiled loops, help pages."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$CCNN_GEO_CACHE`` if it is set, else ``ccnn_geo`` in the user's cache.

    Raises:
        FileNotFoundError: If the user has no home, as in a container that runs as any number; then nothing is kept.
    """
    if given := os.environ.get("CCNN_GEO_CACHE"):
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ccnn_geo"
    except RuntimeError as error:
        raise FileNotFoundError("there is no home folder; CCNN_GEO_CACHE may name another") from error
