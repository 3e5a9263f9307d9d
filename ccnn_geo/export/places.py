"""Paths of predictions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path


def places(
    files: Sequence[str],
    folder: Path,
    written: Callable[[Path], Sequence[Path]] = lambda target: [target],
    taken: Collection[str] = (),
) -> dict[str, Path]:
    """Paths of the predictions for files: their place below the folder mirrors that below the files' common parent.

    Two files with the same output, such as ``a.off`` and ``a.ply``, keep their extensions in its name.

    Args:
        files: Paths.
        folder: Folder of the predictions.
        written: The files that are written for such a path.
        taken: Names in the folder that are reserved.

    Raises:
        ValueError: If a prediction would replace an input file, or another prediction.

    Example:
        >>> where = places(["a/1.las", "a/b/1.las"], Path("out"))
        >>> {file: place.as_posix() for file, place in where.items()}
        {'a/1.las': 'out/1.las', 'a/b/1.las': 'out/b/1.las'}
        >>> where = places(["1.off", "1.ply"], Path("out"), lambda target: [target.with_suffix(".ply")])
        >>> [place.as_posix() for place in where.values()]
        ['out/1_off.off', 'out/1_ply.ply']
    """
    absolute = {file: os.path.abspath(file) for file in files}
    top = os.path.commonpath([os.path.dirname(path) for path in absolute.values()])
    found = {path: folder / os.path.relpath(path, top) for path in absolute.values()}

    def clashes() -> dict[str, Path]:
        """Files with the same output, and one of the shared paths."""
        count = Counter([folder / name for name in taken])
        count.update(path for target in found.values() for path in written(target))
        shared = {
            file: [path for path in written(target) if count[path] > 1] for file, target in found.items()
        }
        return {file: paths[0] for file, paths in shared.items() if paths}

    for file in clashes():
        target = found[file]
        found[file] = target.with_name(f"{target.stem}_{target.suffix[1:]}{target.suffix}")
    for file, target in clashes().items():
        raise ValueError(
            f"--out {folder}: {target} would be the prediction for {file} and for another file, expected one"
        )
    asked = {os.path.realpath(path): file for file, path in absolute.items()}
    for file, path in absolute.items():
        for target in written(found[path]):
            if other := asked.get(os.path.realpath(target)):
                itself = "the file itself" if other == file else f"{other}, which is an input too"
                raise ValueError(
                    f"--out {folder}: the prediction for {file} would replace {itself}; expected another folder"
                )
    return {file: found[path] for file, path in absolute.items()}
