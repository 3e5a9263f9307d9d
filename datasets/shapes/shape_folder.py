"""A user's own shapes, sorted into folders."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.find_layout import labelled_files
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.base.processing import ShapeFile
from ccnn_geo.datasets.shapes.shapes import ShapeDataset
from ccnn_geo.io import EXTENSIONS
from ccnn_geo.io.files.sample_files import FileKind, stamps
from ccnn_geo.io.shapes.part_labels import BESIDE
from ccnn_geo.io.shapes.read import TABLES
from ccnn_geo.io.shapes.text_cloud import check_names

SHAPES = FileKind(
    "shapes",
    tuple(extension for extension in EXTENSIONS if extension not in TABLES),
    (".mtl", ".png", ".jpg", ".jpeg", ".bmp", ".tga", ".tif", ".tiff"),
    second=TABLES,
    others=dict.fromkeys(BESIDE, "labels of parts, which a training with --config parts/ccnn_4_32 learns"),
)
"""Files of shapes; beside them lie their materials and textures, notes or tables that are no clouds, or labels."""

READING = 2
"""Counts changes of what is read of a file; part of the name of what is stored."""


class ShapeFolder(ShapeDataset):
    """Meshes and clouds in ``root/<split>/<class>/<file>``, split train, validation (also val, valid, dev) or test.

    Every file type of :func:`ccnn_geo.io.read_shape` may occur, side by side; a warning counts other files, but for
    hidden ones, materials and textures. Meshes are sampled, clouds without normals get estimated ones. All splits
    that exist must have the same classes. Stored points are used again as long as names, sizes and dates of the
    files stay. Other ways to sort files are those of :mod:`~ccnn_geo.datasets.base.find_layout`; text files, LAS and
    LAZ count only in folders without files of other types.

    Args:
        root: the folder of the splits.
        split: one of those that exist.
        columns: what the columns of text files are, such as ``[x, y, z, nx, ny, nz, label]``, ``_`` for one that is
            not used; by default as :func:`~ccnn_geo.io.read_shape` finds out.
        cache: where the points are stored (default ``root/processed``).
        **kwargs: see :class:`~ccnn_geo.datasets.shapes.shapes.ShapeDataset`.

    Raises:
        FileNotFoundError: if there is no such folder or split.
        ValueError: if a class has no shapes, or the splits have different classes.
        ShapeError: names the files that could not be read; where many are of a kind, one of them.

    Example:
        >>> import os
        >>> import tempfile
        >>> import numpy as np
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name in ("cup", "mug"):
        ...         os.makedirs(f"{root}/train/{name}")
        ...         np.savetxt(f"{root}/train/{name}/0.xyz", np.random.rand(100, 3))
        ...     ShapeFolder(root, "train", num_points=64)[1]
        Data(y=[1], pos=[64, 3], normal=[64, 3], name='train/mug/0.xyz', x=[64, 6])
    """

    info = DatasetInfo(
        name="folder",
        title="your own meshes and clouds: <split>/<class>/<file>",
        family="shape",
        in_channels=6,
        size=None,
        classes=0,
        many_files=True,
        source="your own files",
    )
    kind = SHAPES

    def __init__(
        self,
        root: str | PathLike[str],
        split: str,
        *,
        columns: Sequence[str] | None = None,
        cache: str | PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        check_names(columns)
        names = None if columns is None else tuple(columns)
        root = Path(root).expanduser()
        part = labelled_files(root, split, self.kind)
        files = [
            ShapeFile(path, path.relative_to(root).as_posix(), label, names) for path, label in part.samples
        ]
        key = f"{split}-{digest(*self._known(files), READING, *([] if names is None else [names]))}"
        super().__init__(
            files, part.classes, Path(cache) if cache is not None else root / "processed", key, **kwargs
        )

    def _known(self, files: Sequence[ShapeFile]) -> list[object]:
        """By what stored points are known again: names, sizes and dates of the files."""
        return [[(f.name, *stamp) for f, stamp in zip(files, stamps(f.path for f in files), strict=True)]]


def split_classes(root: Path, split: str) -> list[str]:
    """Names of the classes of a split, however the files are sorted."""
    return labelled_files(root, split, SHAPES).classes
