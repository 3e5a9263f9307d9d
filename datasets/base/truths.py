"""Labels or targets of a user's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ccnn_geo.datasets.base.layouts import Part
from ccnn_geo.datasets.base.target_files import has_targets


def truths_of(root: Path) -> tuple[str, str]:
    """Returns the task for files with one label or row of targets each, and that predictions are of whole samples."""
    return ("regression" if has_targets(root) else "classification"), "global"


def answers_of(part: Part) -> dict[str, Any]:
    """Further arguments of a data set: names and units of targets, if there are any."""
    return {} if part.targets is None else {"targets": (part.targets.names, part.targets.units)}
