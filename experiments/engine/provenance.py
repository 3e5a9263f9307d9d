"""The origin of results: the commit of the code, and fingerprints of the data."""

from __future__ import annotations

import hashlib
import os
import subprocess
from functools import partial
from pathlib import Path

HEAD_AND_TAIL = 1 << 20
"""Bytes at either end of a file that enter its fingerprint."""


def commit() -> str:
    """Returns the commit of the source tree, with a mark if files differ from it; empty outside of a repository."""
    here = Path(__file__).resolve().parent
    try:
        run = partial(subprocess.run, cwd=here, capture_output=True, text=True, check=True)
        found = run(["git", "rev-parse", "--short=12", "HEAD"]).stdout.strip()
        return found + "+" * bool(
            run(["git", "status", "--porcelain", "--", ":/*.py", ":/*.c", ":/*.h"]).stdout
        )
    except (OSError, subprocess.CalledProcessError):
        return ""


def fingerprints(root: Path) -> dict[str, str]:
    """Returns a digest for each entry of a folder, or of one file: names, sizes and both ends of all files below.

    Files that data sets have prepared beside the data are left out.
    """
    parts = sorted(root.iterdir()) if root.is_dir() else [root]
    return {part.name: _digest(part) for part in parts if not _is_ours(part.name)}


def _digest(part: Path) -> str:
    files = [part]
    if part.is_dir():  # follows links
        found = os.walk(part, followlinks=True)
        files = sorted(Path(folder, name) for folder, _, names in found for name in names)
    digest = hashlib.sha256()
    for path in files:
        name = path.relative_to(part)
        if any(map(_is_ours, name.parts)):
            continue
        size = path.stat().st_size
        with path.open("rb") as file:
            ends = file.read(HEAD_AND_TAIL)
            file.seek(max(0, size - HEAD_AND_TAIL))
            ends += file.read(HEAD_AND_TAIL)
        digest.update(f"{name.as_posix()}\0{size}\0".encode() + ends)
    return digest.hexdigest()[:16]


def _is_ours(name: str) -> bool:
    return name.startswith(".") or name == "processed"
