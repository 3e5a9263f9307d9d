"""Ways to sort files into splits and classes; :mod:`~ccnn_geo.datasets.base.find_layout` finds out which one it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccnn_geo.datasets.base.class_folders import (
    SPLITS,
    class_folders,
    named_folders,
    split_folders,
    split_name,
)
from ccnn_geo.io.files.left_out import list_names
from ccnn_geo.io.files.notices import say_once
from ccnn_geo.io.files.sample_files import FileKind, class_samples, printable
from ccnn_geo.io.target_table import TargetTable

Sample = tuple[Path, int]
"""A file and the number of its class."""


@dataclass(frozen=True)
class Part:
    """The files of a split.

    Args:
        classes: Names, in the order of the labels; empty if files have no class each.
        samples: Files with the number of their class, class by class; 0 without classes.
        targets: A row for each file, if there is a table of targets.
    """

    classes: list[str]
    samples: list[Sample]
    targets: TargetTable | None = None

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [path for path, _ in self.samples]

    @property
    def y(self) -> np.ndarray:
        """Labels ``[N]`` int64, or targets ``[N, T]`` float64, NaN for unknown ones."""
        if self.targets is not None:
            return self.targets.values
        return np.array([label for _, label in self.samples], dtype=np.int64)


class SplitsFirst:
    """``root/<split>/<class>/<file>``."""

    told = "<split>/<class>"

    def __init__(self, root: Path, kind: FileKind) -> None:
        self.root, self.kind = root, kind

    @property
    def splits(self) -> list[str]:
        """Splits that have a folder."""
        return list(split_folders(self.root))

    def part(self, split: str) -> Part:
        """Lists the files of a split, see :func:`~ccnn_geo.datasets.base.class_folders.class_folders`."""
        folders = class_folders(self.root, split)
        return Part(list(folders), class_samples(folders, self.kind))


class ClassesFirst:
    """``root/<class>/<split>/<file>``, the layout of ModelNet: every class has the same splits."""

    told = "<class>/<split>"

    def __init__(self, root: Path, kind: FileKind, folders: Mapping[str, Path]) -> None:
        self.root, self.kind = root, kind
        self._found = {printable(folder.name): split_folders(folder) for folder in folders.values()}
        first, *others = self._found
        for name in others:
            if self._found[name].keys() != self._found[first].keys():
                splits = (", ".join(self._found[one]) for one in (first, name))
                raise ValueError(
                    f"{root}: classes must have the same splits; {first!r} has {next(splits)}, {name!r} has "
                    f"{next(splits)}"
                )
        self.splits = list(self._found[first])
        extra = [
            f"{folder.name}/{other}"
            for folder in folders.values()
            for other in named_folders(folder)
            if split_name(other) not in SPLITS
        ]
        if extra:
            say_once(f"{root}: not opened: {list_names(extra)}, not the name of a split")

    def part(self, split: str) -> Part:
        """Lists the files of a split.

        Raises:
            FileNotFoundError: If the classes do not have this split.
            ValueError: For an unknown split, or a class without files.
        """
        check_split(self.root, split, self.splits)
        folders = {name: found[split] for name, found in self._found.items()}
        return Part(list(folders), class_samples(folders, self.kind, beside=False, root=self.root))


class NamedSamples:
    """Files with known classes and splits, from a table or split by their names."""

    def __init__(
        self, root: Path, told: str, classes: Sequence[str], parts: Mapping[str, Sequence[Sample]]
    ) -> None:
        self.root, self.told, self.classes = root, told, list(classes)
        self._parts = {split: list(parts[split]) for split in SPLITS if parts.get(split)}
        self.splits = list(self._parts)

    def part(self, split: str) -> Part:
        """Lists the files of a split.

        Raises:
            FileNotFoundError: If there are none.
            ValueError: For an unknown split.
        """
        check_split(self.root, split, self.splits)
        return Part(self.classes, self._parts[split])


def check_split(root: Path, split: str, splits: Sequence[str]) -> None:
    """Refuses an unknown or missing split.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is unknown.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if split not in splits:
        raise FileNotFoundError(f"{root}: no split {split!r}, found {', '.join(splits)}")
