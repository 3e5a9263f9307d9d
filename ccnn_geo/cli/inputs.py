"""What a command is to answer: files, folders, patterns, and lists on standard input."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ccnn_geo.io.files.sample_files import FileKind, list_samples
from ccnn_geo.io.files.storage import is_prepared


def expand(paths: Iterable[str], kind: FileKind, answers: Path | None = None) -> Iterator[str]:
    """Files that paths stand for, in order.

    Args:
        paths: Files; folders, for all files of such extensions in them and below; patterns with ``*``, ``?`` or ``[``,
            where ``**`` is any number of folders; ``-`` for a path per line of standard input. What data sets have
            prepared, in a folder ``processed``, is no file of a folder or pattern.
        kind: The files that are wanted of folders. A folder or pattern without any stands for itself, and whoever reads
            it says so.
        answers: A folder whose files are answers, and are not asked for with a folder or pattern that it lies in.
    """
    for path in paths:
        if path == "-":
            yield from expand((line.rstrip("\r\n") for line in sys.stdin if line.strip()), kind, answers)
        elif Path(path).is_dir():
            found = [str(file) for file in list_samples(Path(path), kind).paths]
            yield from _without(found, answers) or [path]
        elif any(sign in path for sign in "*?[") and not Path(path).exists():
            found = [name for name in sorted(glob.glob(path, recursive=True)) if Path(name).is_file()]
            yield from _without(found, answers) or [path]
        else:
            yield path


def _without(files: list[str], answers: Path | None) -> list[str]:
    files = [file for file in files if not is_prepared(Path(file))]
    if answers is None:
        return files
    place = answers.resolve()
    return [file for file in files if place not in Path(file).resolve().parents]
