"""What is known of a user's own files: a class of each, or targets of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ccnn_geo.datasets.base.layouts import Part
from ccnn_geo.datasets.base.target_files import has_targets


def truths_of(root: Path) -> tuple[str, str]:
    """The task of the files of a folder that have one truth each, and that the answers are of whole samples."""
    return ("regression" if has_targets(root) else "classification"), "global"


def answers_of(part: Part) -> dict[str, Any]:
    """Arguments of a data set besides the truths themselves: names and units of targets, if there are some."""
    return {} if part.targets is None else {"targets": (part.targets.names, part.targets.units)}
