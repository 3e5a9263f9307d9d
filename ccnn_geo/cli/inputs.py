"""What a command is to answer: files, folders, patterns, and lists on standard input."""

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
"""Names, in lower case, of tables that say something of the files beside them."""

_IMAGES, _MASKS = "images", "masks"
"""Folders beside each other, of images and of the truths of their pixels."""


def expand(paths: Iterable[str], kind: FileKind, answers: Path | None = None) -> Iterator[str]:
    """Files that paths stand for, in order.

    Args:
        paths: Files; folders, for all files of such extensions in them and below; patterns with ``*``, ``?`` or ``[``,
            where ``**`` is any number of folders; ``-`` for a path per line of standard input. What data sets have
            prepared, in a folder ``processed``, and tables of targets, labels or answers are no files of a folder or
            pattern, nor are masks of images that lie beside them files of a folder.
        kind: The files that are wanted of folders. A folder or pattern without any stands for itself, and whoever reads
            it says so.
        answers: A folder whose files are answers, and are not asked for with a folder or pattern that it lies in.
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
    from ccnn_geo.io.files.storage import is_prepared  # which imports torch, of which the help has no need

    files = [f for f in files if not is_prepared(Path(f)) and Path(f).name.lower() not in _ABOUT_FILES]
    if answers is None:
        return files
    place = answers.resolve()
    return [file for file in files if place not in Path(file).resolve().parents]


def _is_mask(file: Path, asked: Path) -> bool:
    """Whether a file lies in a folder of masks with one of images beside it, below the folder that is asked."""
    below = file.relative_to(asked).parents
    return any(p.name == _MASKS and (asked / p.with_name(_IMAGES)).is_dir() for p in below)
