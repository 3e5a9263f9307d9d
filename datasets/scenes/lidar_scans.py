"""The scans of a split: how they are read, and what is measured of the training scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.datasets.base.class_folders import split_folders
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.scenes.lidar_files import file_states, list_scans
from ccnn_geo.datasets.scenes.lidar_survey import Survey, survey
from ccnn_geo.datasets.scenes.lidar_tiles import tiles
from ccnn_geo.io.scans.frames import READING, Frame, read_frame
from ccnn_geo.transforms.scan_points import MADE


class Scans:
    """Files of a split, read at every access; the last one is kept.

    Args:
        root: The folder of the splits, or of the files themselves.
        split: Name of the split; None for files that lie in ``root``.
        features: Names of features that must be numbers.
        layout: Options for reading files: ``columns``, ``column_type`` and ``label`` of
            :func:`~ccnn_geo.io.scans.frames.read_frame`.
        cache: Folder of the measurements.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: For an unknown split, or a folder without scans.
    """

    def __init__(
        self, root: Path, split: str | None, features: Sequence[str], layout: Mapping[str, Any], cache: Path
    ) -> None:
        self.root, self.split, self.features, self._cache = root, split, tuple(features), cache
        self.paths = list_scans(root, split)
        self._layout = dict(layout)
        self._last: tuple[Path, Frame] | None = None

    def read(self, path: Path) -> Frame:
        """Returns the points of a file."""
        if self._last is None or self._last[0] != path:
            self._last = path, self._read_file(path)
        return self._last[1]

    def tiles(self, edge: float) -> dict[str, np.ndarray]:
        """Lists all square tiles that have points, see :func:`~ccnn_geo.datasets.scenes.lidar_tiles.tiles`."""
        target = self._target("tiles", self.paths, self.split, edge)
        return tiles(self.paths, self._read_file, edge, target)

    @property
    def learned_from(self) -> bool:
        """Whether there are training scans: ``root/train``, or without splits all scans."""
        return self.split in (None, "train") or "train" in split_folders(self.root)

    def measure(self) -> Survey:
        """Measures the training scans."""
        part = None if self.split is None else "train"
        return self._survey(part, self.paths if part == self.split else list_scans(self.root, part))

    @cached_property
    def have_labels(self) -> bool:
        """Whether a training scan or a scan of this split has labels; reads them all unless the result is stored."""
        learned = self.split not in (None, "train") and self.learned_from and bool(self.measure().labels)
        return learned or bool(self._survey(self.split, self.paths).labels)

    def look(self, classes: Sequence[int] | None, normalize: bool, sized: bool) -> Survey | None:
        """Measures the training scans, as far as the arguments need it.

        Args:
            classes: Codes that must be present.
            normalize: Whether measurements are standardised.
            sized: Whether the size of the scans is the unit.

        Raises:
            FileNotFoundError: If there are no training scans to measure.
            ValueError: If they lack a class or a feature.
        """
        measured = normalize and not set(self.features) <= set(MADE)
        if not self.learned_from:
            if measured or sized:
                raise FileNotFoundError(
                    f"{self.root}: no folder 'train' to standardise by; normalize=False and a unit do without"
                )
            return None
        if not (measured or sized or classes is not None):
            return None
        found = self.measure()
        if normalize and found.unknown(self.features):
            for path in list_scans(self.root, None if self.split is None else "train"):
                self._read_file(path)  # raises for the file at fault, unless measuring has done so
        if classes is not None and (found.labels or self.split is not None):
            place = self.root if self.split is None else split_folders(self.root)["train"]
            found.check_classes(place, classes, all_of_them=self.split is not None)
        lacking = sorted({*self.features} - {*MADE, *found.moments})
        if lacking:
            raise ValueError(
                f"{self.root}: no {', '.join(lacking)} in the training scans; the option 'features' "
                f"takes some of {', '.join((*MADE, *found.moments))}"
            )
        return found

    def _survey(self, part: str | None, paths: Sequence[Path]) -> Survey:
        return survey(paths, self._read_file, self._target("survey", paths, part))

    def _read_file(self, path: Path) -> Frame:
        return read_frame(path, **self._layout, needed=self.features)

    def _target(self, what: str, paths: Sequence[Path], part: str | None, *settings: object) -> Path:
        """Path of a result that depends on the files and on how they are read."""
        key = digest(READING, file_states(self.root, paths), self._layout, settings)
        return self._cache / f"{what}-{part or 'all'}-{key}.npz"
