"""Where answers go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def places(files: Sequence[str], folder: Path) -> dict[str, Path]:
    """Where the answer to each file goes: below the folder as it lies below what all files have in common.

    Example:
        >>> {file: str(place) for file, place in places(["a/1.las", "a/b/1.las"], Path("out")).items()}
        {'a/1.las': 'out/1.las', 'a/b/1.las': 'out/b/1.las'}
    """
    absolute = {file: os.path.abspath(file) for file in files}
    top = os.path.commonpath([os.path.dirname(path) for path in absolute.values()])
    return {file: folder / os.path.relpath(path, top) for file, path in absolute.items()}
