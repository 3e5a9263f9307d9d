"""Text files that are complete or absent, however the program ends."""

from __future__ import annotations

from pathlib import Path

from ccnn_geo.io.files.storage import write_atomic


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically."""
    write_atomic(path, lambda file: file.write(text.encode()))
