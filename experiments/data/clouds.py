"""The common command line of converters to point clouds, and their output folder."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTS = ("train", "validation", "test")


def parse(doc: str, argv: Sequence[str] | None, **flags: str) -> argparse.Namespace:
    """Parses the ``archive`` to read and the folder ``out`` to write.

    Args:
        doc: Docstring of the converter; the help shows its first line.
        argv: Arguments; by default those of the command line.
        **flags: Names of further switches, with their help.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    for name, text in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    return parser.parse_args(argv)


def write_clouds(out: Path, clouds: Iterable[tuple[str, str, str, NDArray[Any]]]) -> None:
    """Writes ``out/<split>/<class>/<name>.npy`` and prints the number of files of each split.

    Args:
        out: The folder.
        clouds: Split, class and name of each cloud, with its array ``[N, *]``, or a grid.
    """
    count = dict.fromkeys(PARTS, 0)
    for part, label, name, cloud in clouds:
        folder = out / part / label
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}.npy", cloud)
        count[part] += 1
    tell(out, count)


def tell(out: Path, counts: Mapping[str, int]) -> None:
    """Prints the number of files of each split that has some."""
    print(f"{out}: {', '.join(f'{number} {part}' for part, number in counts.items() if number)}")
