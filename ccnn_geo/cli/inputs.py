"""What a command is to answer: files, folders, patterns, and lists on standard input."""

from __future__ import annotations

import glob
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ccnn_geo.io.files.sample_files import FileKind, list_samples


def expand(paths: Iterable[str], extensions: Collection[str]) -> Iterator[str]:
    """Files that paths stand for, in order.

    Args:
        paths: Files; folders, for all files of such extensions in them and below; patterns with ``*``, ``?`` or ``[``,
            where ``**`` is any number of folders; ``-`` for a path per line of standard input.
        extensions: Of the files that are wanted of folders.

    Raises:
        ValueError: If a folder or a pattern has none.
    """
    for path in paths:
        if path == "-":
            yield from expand((line.rstrip("\r\n") for line in sys.stdin if line.strip()), extensions)
        elif Path(path).is_dir():
            yield from _below(path, extensions)
        elif any(sign in path for sign in "*?[") and not Path(path).exists():
            found = sorted(glob.glob(path, recursive=True))
            if not found:
                raise ValueError(f"{path}: no file is called so")
            yield from (name for name in found if Path(name).is_file())
        else:
            yield path


def _below(folder: str, extensions: Collection[str]) -> list[str]:
    found = [
        str(path) for path in list_samples(Path(folder), FileKind("samples", extensions, deep=True)).paths
    ]
    if not found:
        raise ValueError(f"{folder}: no files of {' '.join(sorted(extensions))} in this folder")
    return found
