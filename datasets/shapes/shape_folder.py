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
"""Files of shapes; beside them may lie materials and textures, notes or tables that are not clouds, or labels."""

READING = 2
"""Version of the stored data; part of the stored file's name."""


class ShapeFolder(ShapeDataset):
    """Meshes and clouds in ``root/<split>/<class>/<file>``, split train, validation (also val, valid, dev) or test.

    All file types of :func:`ccnn_geo.io.read_shape` may be mixed; a warning counts other files, except hidden ones,
    materials and textures. Meshes are sampled, clouds without normals get estimated ones. All existing splits must
    have the same classes. Stored points are used again as long as names, sizes and dates of the files stay the same.
    :mod:`~ccnn_geo.datasets.base.find_layout` lists other ways to sort files; text files, LAS and
    LAZ count only in folders without files of other types.

    Args:
        root: the folder of the splits.
        split: one of the existing splits.
        columns: names of the columns of text files, such as ``[x, y, z, nx, ny, nz, label]``, ``_`` for an unused
            one; by default :func:`~ccnn_geo.io.read_shape` finds them out.
        cache: folder of the stored points (default ``root/processed``).
        **kwargs: see :class:`~ccnn_geo.datasets.shapes.shapes.ShapeDataset`.

    Raises:
        FileNotFoundError: if the folder or the split does not exist.
        ValueError: if a class has no shapes, or the splits have different classes.
        ShapeError: if files cannot be read; lists them, or one file for each kind of error.

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
        """Identity of the stored points: names, sizes and dates of the files."""
        return [[(f.name, *stamp) for f, stamp in zip(files, stamps(f.path for f in files), strict=True)]]


def split_classes(root: Path, split: str) -> list[str]:
    """Returns the names of the classes of a split, however the files are sorted."""
    return labelled_files(root, split, SHAPES).classes
