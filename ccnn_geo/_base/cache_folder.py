"""Where this package keeps what it makes once per machine: compiled loops, help pages."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$CCNN_GEO_CACHE`` if it is set, else ``ccnn_geo`` in the user's cache."""
    if given := os.environ.get("CCNN_GEO_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ccnn_geo"
