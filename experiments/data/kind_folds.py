"""Folds of a folder of shapes for cross-validation that hold out whole kinds: biplanes, say, of which none trains.

    python -m ccnn_geo.experiments.data.kind_folds ROOT OUT --draw 0

``ROOT/kinds.csv`` names the kind of each file, as written by ``psb_folder``. The files are split again
into ``OUT/train`` and ``OUT/validation``, as links. Four draws hold out each kind once: draws 0 to 3 are one partition
of the kinds, 4 to 7 another one, and so on. In a class of two or three kinds some are held out twice, so that all
classes are in both sets.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ccnn_geo.experiments.data.folds import FOLDS, PARTS, Chosen, command, linked_folder

KINDS = "kinds.csv"
HEADER = ("file", "kind")


def read_kinds(root: Path) -> dict[str, str]:
    """Reads the kind of each file, by its path below a folder.

    Raises:
        FileNotFoundError: If the table does not exist.
        ValueError: If it has another header, or lists a file twice.
    """
    path = root / KINDS
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a table of files and kinds, as psb_folder writes it")
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    if tuple(header) != HEADER:
        raise ValueError(f"{path}: expected the header {','.join(HEADER)}, got {','.join(header)}")
    kinds = dict(rows)
    if len(kinds) < len(rows):
        raise ValueError(f"{path}: expected each file once, got {len(rows) - len(kinds)} a second time")
    return kinds


def held_out(kinds: Mapping[str, str], draw: int) -> set[str]:
    """Returns the kinds that a draw holds out.

    The kinds of each class come in a random order, which depends on the partition. Each kind goes to the one of four
    parts with the fewest shapes so far; with fewer kinds than parts they are dealt out again.

    Args:
        kinds: Kind of each shape, ``<class>/...``.
        draw: Number of the draw, from 0.

    Raises:
        ValueError: For a negative draw, or a class with only one kind.

    Example:
        >>> kinds = {"a": "plant/tree", "b": "plant/fern", "c": "plant/cactus", "d": "plant/potted", "e": "plant/tree"}
        >>> [held_out(kinds, draw) for draw in range(4)]
        [{'plant/potted'}, {'plant/cactus'}, {'plant/fern'}, {'plant/tree'}]
    """
    if draw < 0:
        raise ValueError(f"kind_folds: expected a draw of 0 or more, got {draw}")
    rng = np.random.default_rng(draw // FOLDS)
    sizes = Counter(kinds.values())
    of_class: dict[str, list[str]] = defaultdict(list)
    for kind in sorted(sizes):
        of_class[kind.split("/")[0]].append(kind)
    alone = sorted(name for name, own in of_class.items() if len(own) < 2)
    if alone:
        raise ValueError(
            f"kind_folds: expected two kinds or more of each class, got one of {', '.join(alone)}"
        )
    held = set()
    for own in of_class.values():
        filled = [0] * min(FOLDS, len(own))
        for i in rng.permutation(len(own)).tolist():
            part = filled.index(min(filled))
            filled[part] += sizes[own[i]]
            if part == draw % FOLDS % len(filled):
                held.add(own[i])
    return held


def kind_folder(root: Path, out: Path, draw: int) -> Path:
    """Writes a fold for cross-validation as a folder of links (or copies without links), unless the folder exists.

    Args:
        root: ``<split>/<class>/<file>`` and ``kinds.csv``.
        out: The folder; it is complete or absent.
        draw: Number of the draw, from 0.

    Returns:
        ``out``.
    """

    def choose() -> Chosen:
        kinds = read_kinds(root)
        held = held_out(kinds, draw)
        parts: dict[str, dict[str, list[Path]]] = {part: defaultdict(list) for part in PARTS}
        for file in sorted(kinds):
            part = parts["validation" if kinds[file] in held else "train"]
            part[Path(file).parent.name].append(root / file)
        return parts

    return linked_folder(out, choose)


def main(argv: list[str] | None = None) -> None:
    """Writes one fold and prints the number of files of each split."""
    command(__doc__, argv, kind_folder, "draw")


if __name__ == "__main__":
    main()
