"""What a command is to answer: files, folders, patterns, and lists on standard input."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ccnn_geo.io.files.sample_files import FileKind, list_samples


def expand(paths: Iterable[str], kind: FileKind) -> Iterator[str]:
    """Files that paths stand for, in order.

    Args:
        paths: Files; folders, for all files of such extensions in them and below; patterns with ``*``, ``?`` or ``[``,
            where ``**`` is any number of folders; ``-`` for a path per line of standard input.
        kind: The files that are wanted of folders. A folder or pattern without any stands for itself, and whoever reads
            it says so.
    """
    for path in paths:
        if path == "-":
            yield from expand((line.rstrip("\r\n") for line in sys.stdin if line.strip()), kind)
        elif Path(path).is_dir():
            yield from [str(file) for file in list_samples(Path(path), kind).paths] or [path]
        elif any(sign in path for sign in "*?[") and not Path(path).exists():
            yield from [name for name in sorted(glob.glob(path, recursive=True)) if Path(name).is_file()] or [
                path
            ]
        else:
            yield path
