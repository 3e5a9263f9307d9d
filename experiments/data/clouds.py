"""What converters of point clouds share: their command line, and the folder that they write."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTS = ("train", "validation", "test")


def parse(doc: str, argv: Sequence[str] | None, **flags: str) -> argparse.Namespace:
    """The ``archive`` to read and the folder ``out`` to write.

    Args:
        doc: Docstring of the converter, whose first line the help shows.
        argv: Arguments; by default those of the command line.
        **flags: Further ones that are set or not, with their help.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    for name, text in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    return parser.parse_args(argv)


def write_clouds(out: Path, clouds: Iterable[tuple[str, str, str, NDArray[Any]]]) -> None:
    """Writes ``out/<part>/<class>/<name>.npy`` and prints the number of files of each part.

    Args:
        out: The folder.
        clouds: Part, class and name of each cloud, and its array ``[N, *]``, or that of a grid.
    """
    count = dict.fromkeys(PARTS, 0)
    for part, label, name, cloud in clouds:
        folder = out / part / label
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}.npy", cloud)
        count[part] += 1
    tell(out, count)


def tell(out: Path, counts: Mapping[str, int]) -> None:
    """Prints the number of files of each part that has some."""
    print(f"{out}: {', '.join(f'{number} {part}' for part, number in counts.items() if number)}")
