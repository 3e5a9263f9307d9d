"""The files that a command reads: files, folders, patterns, and lists on standard input."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ccnn_geo.io.files.sample_files import FileKind, list_samples

_ABOUT_FILES = frozenset(
    {
        "targets.csv",
        "labels.csv",
        "labels.tsv",
        "files.csv",
        "files.tsv",
        "predictions.csv",
        "predictions.json",
    }
)
"""Names, in lower case, of tables that describe the files beside them."""

_IMAGES, _MASKS = "images", "masks"
"""Neighbouring folders: images, and the truths of their pixels."""


def expand(paths: Iterable[str], kind: FileKind, answers: Path | None = None) -> Iterator[str]:
    """Yields the files that paths stand for, in order.

    Args:
        paths: Files; folders, for all files with fitting extensions in and below them; patterns with ``*``, ``?`` or
            ``[``, where ``**`` is any number of folders; ``-`` for a path per line of standard input. Folders and
            patterns skip prepared files in a folder ``processed`` and tables of targets, labels or predictions.
            Folders also skip the masks of images beside them.
        kind: The files to take from folders. A folder or pattern without any stands for itself, and its reader
            reports that.
        answers: A folder of predictions; folders and patterns that contain it skip its files.
    """
    for path in paths:
        if path == "-":
            yield from expand((line.rstrip("\r\n") for line in sys.stdin if line.strip()), kind, answers)
        elif Path(path).is_dir():
            found = [str(f) for f in list_samples(Path(path), kind).paths if not _is_mask(f, Path(path))]
            yield from _without(found, answers) or [path]
        elif any(sign in path for sign in "*?[") and not Path(path).exists():
            found = [name for name in sorted(glob.glob(path, recursive=True)) if Path(name).is_file()]
            yield from _without(found, answers) or [path]
        else:
            yield path


def _without(files: list[str], answers: Path | None) -> list[str]:
    from ccnn_geo.io.files.storage import is_prepared  # imports torch, which the help does not need

    files = [f for f in files if not is_prepared(Path(f)) and Path(f).name.lower() not in _ABOUT_FILES]
    if answers is None:
        return files
    place = answers.resolve()
    return [file for file in files if place not in Path(file).resolve().parents]


def _is_mask(file: Path, asked: Path) -> bool:
    """Whether a file lies below the given folder, in a folder of masks that has a folder of images beside it."""
    below = file.relative_to(asked).parents
    return any(p.name == _MASKS and (asked / p.with_name(_IMAGES)).is_dir() for p in below)
