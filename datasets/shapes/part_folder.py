"""A user's own meshes with a part per face, or clouds with a part per point, sorted into folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ccnn_geo._base.pyg import Data
from ccnn_geo.datasets.base.conversion import packed, unpacked
from ccnn_geo.datasets.base.find_layout import found_splits
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.base.processing import Conversion, Kept, Settings, ShapeFile, sampled
from ccnn_geo.datasets.shapes.shape_folder import SHAPES, ShapeFolder
from ccnn_geo.io.files.left_out import list_names
from ccnn_geo.io.files.sample_files import stamps
from ccnn_geo.io.files.storage import read_arrays
from ccnn_geo.io.shapes.part_labels import BESIDE, labels_beside, read_labelled_shape
from ccnn_geo.io.shapes.shape import ShapeError
from ccnn_geo.nn.part_groups import SIGN
from ccnn_geo.transforms.pipelines.parts import PartPipeline

MOST = 32767
"""Most parts, because they are stored as int16."""

PARTS = replace(SHAPES, companions=(*SHAPES.companions, *BESIDE))
"""Files of shapes, which may have files of labels beside them."""


class PartFolder(ShapeFolder):
    """Meshes with a class per face, or clouds with one per point, in ``root/<split>/<category>/<file>``.

    Shapes are read and sampled as in :class:`~ccnn_geo.datasets.ShapeFolder`; a point has the part of its face. Labels
    lie in ``NAME_labels.txt`` or ``NAME.seg`` beside the shape, or in the file, see
    :func:`~ccnn_geo.io.shapes.part_labels.read_labelled_shape`. The classes are the parts in ``train``, sorted; with
    several categories they are called ``chair/leg``.

    Args:
        root: the folder of the splits.
        split: one of the existing splits.
        columns: names of the columns of text files, such as ``[x, y, z, nx, ny, nz, label]``.
        label: name of the property or column of labels; None for ``label``, ``class`` and the like.
        cache: folder of the stored points (default ``root/processed``).
        **kwargs: see :class:`~ccnn_geo.datasets.shapes.shapes.ShapeDataset`.

    Shapes:
        ``dataset[i]`` is ``Data(x [N, 6], pos [N, 3], normal [N, 3], y [N], name)``; y int64, -1 for an unknown part.

    Raises:
        FileNotFoundError: if the folder or the split does not exist.
        ValueError: if a category has no shapes, the splits have different categories, or a part is not in train.
        ShapeError: if files cannot be read or have no labels that fit; lists them.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     Path(root, "train", "cup").mkdir(parents=True)
        ...     file = Path(root, "train", "cup", "0.npz")
        ...     np.savez(file, pos=np.random.rand(100, 3), label=np.arange(100) // 50)
        ...     data = PartFolder(root, "train", num_points=64)
        >>> data.classes, data[0]
        (['0', '1'], Data(y=[64], pos=[64, 3], normal=[64, 3], name='train/cup/0.npz', x=[64, 6]))
    """

    info = DatasetInfo(
        name="parts",
        title="your own shapes with a part per face or point: <split>/<category>/<file>",
        family="shape",
        in_channels=6,
        size=None,
        classes=0,
        many_files=True,
        source="your own files",
    )
    kind = PARTS
    pipeline_class = PartPipeline

    def __init__(
        self,
        root: str | PathLike[str],
        split: str,
        *,
        label: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._label = label
        super().__init__(root, split, **kwargs)
        self.categories = self.classes
        stored = read_arrays(self.processed_file, ("part", "part_names"))
        own = unpacked(stored["part_names"])
        if not own:
            raise ValueError(f"{root}: no part is known in {split}, expected labels of some faces or points")
        self.classes = self._known_parts(Path(root).expanduser(), split, own, kwargs)
        new = [name for name in own if name not in self.classes]
        if new:
            raise ValueError(
                f"{root}: {split} has the parts {list_names(new)}, expected only those of train: "
                f"{list_names(self.classes)}"
            )
        numbers = np.array([*(self.classes.index(name) for name in own), -1])
        self._part = torch.from_numpy(numbers[stored["part"]])

    @staticmethod
    def truths(root: Path, arguments: Mapping[str, Any]) -> tuple[str, str]:
        return "segmentation", "node"

    def _known_parts(
        self, root: Path, split: str, own: Sequence[str], settings: Mapping[str, Any]
    ) -> list[str]:
        """Names of the parts of train, or of the split in a folder without train."""
        if split == "train" or "train" not in found_splits(root, self.kind):
            return list(own)
        return PartFolder(root, "train", label=self._label, **settings).classes

    def _known(self, files: Sequence[ShapeFile]) -> list[object]:
        beside = [path for file in files if (path := labels_beside(file.path)) is not None]
        return [*super()._known(files), "parts", self._label, [path.name for path in beside], stamps(beside)]

    def _conversion(self, classes: Sequence[str]) -> Conversion:
        return Conversion(partial(part_file, label=self._label), partial(_numbered, classes=classes))

    def get(self, idx: int) -> Data:
        data = super().get(idx)
        start = self._offset[idx]
        data.y = self._part[start : start + data.num_nodes]
        return data


def part_file(
    path: Path, name: str, settings: Settings, columns: Sequence[str] | None = None, label: str | None = None
) -> dict[str, np.ndarray] | str:
    """Reads a file into ``pos``, ``normal``, ``part`` and ``names`` of its parts, or returns an error message."""
    names: list[str] = []

    def read() -> Data:
        shape, parts = read_labelled_shape(path, columns, label)
        _check(path, parts.names)
        if shape.solid is not None and settings.cells == "occupied":
            raise ShapeError(
                f"{path}: labels are of cells at the surface, expected cells='surface' for parts"
            )
        names.extend(parts.names)
        data = shape.to_data()
        data.corners = None
        data.part = torch.from_numpy(parts.index if shape.faces is None else parts.index[shape.polygon])
        return data

    found = sampled(path, name, settings, read)
    return found if isinstance(found, str) else {**found, "names": packed(names)}


def _check(path: Path | str, names: Sequence[str]) -> None:
    """Raises ShapeError for too many names, or for names with the sign that ends a category."""
    signs = [name for name in names if SIGN in name]
    if signs:
        raise ShapeError(
            f"{path}: the part {signs[0]!r}, expected names without {SIGN!r}, which separates category and part"
        )
    if len(names) > MOST:
        raise ShapeError(f"{path}: {len(names)} different labels, expected at most {MOST} parts")


def _numbered(kept: Kept, classes: Sequence[str]) -> dict[str, Any]:
    """Numbers the parts of all points by their names, which include the category if there are several."""
    several = len(classes) > 1
    named = [
        [f"{classes[file.label]}{SIGN}{part}" if several else part for part in unpacked(found["names"])]
        for file, found in kept
    ]
    category = {name: file.label for (file, _), some in zip(kept, named, strict=True) for name in some}
    if len(category) > MOST:
        raise ValueError(f"{len(category)} different parts, expected at most {MOST}")
    every = sorted(category, key=lambda name: (category[name], _natural(name)))
    places = {name: i for i, name in enumerate(every)}
    numbers = [np.array([*(places[name] for name in some), -1], dtype=np.int16) for some in named]
    parts = [number[found["part"]] for number, (_, found) in zip(numbers, kept, strict=True)]
    return {"part": np.concatenate(parts), "part_names": packed(every)}


def _natural(name: str) -> tuple[int, str]:
    """A sort key: numbers by value, before words."""
    last = name.rpartition(SIGN)[2]
    return (int(last), "") if last.isdecimal() else (1 << 62, last)
