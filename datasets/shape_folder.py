"""A user's own shapes, sorted into folders."""

from os import PathLike
from pathlib import Path
from typing import Any

from ccnn_geo.datasets.info import DatasetInfo
from ccnn_geo.datasets.processing import ShapeFile, digest
from ccnn_geo.datasets.shapes import ShapeDataset
from ccnn_geo.io import EXTENSIONS

SPLITS = ("train", "validation", "test")


class ShapeFolder(ShapeDataset):
    """Meshes and clouds in ``root/<split>/<class>/<file>``, split train, validation or test.

    Every file type of :func:`ccnn_geo.io.read_shape` may occur, side by side; other files are ignored. Meshes
    are sampled, clouds without normals get estimated ones. All splits that exist must have the same classes.
    Stored points are used again as long as names, sizes and dates of the files stay.

    Args:
        root: the folder of the splits.
        split: one of those that exist.
        cache: where the points are stored (default ``root/processed``).
        **kwargs: see :class:`~ccnn_geo.datasets.shapes.ShapeDataset`.

    Raises:
        FileNotFoundError: if there is no such folder or split.
        ValueError: if a class has no shapes, or the splits have different classes.
        ShapeError: names all files that could not be read.
    """

    info = DatasetInfo(
        name="folder",
        title="your own meshes and clouds: <split>/<class>/<file>",
        family="shape",
        in_channels=6,
        size=None,
        classes=0,
        source="your own files",
    )

    def __init__(
        self,
        root: str | PathLike[str],
        split: str,
        *,
        cache: str | PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        root = Path(root).expanduser()
        classes = split_classes(root, split)
        files = _files(root, split, classes)
        key = f"{split}-{digest([(f.name, (s := f.path.stat()).st_size, s.st_mtime_ns) for f in files])}"
        super().__init__(
            files, classes, Path(cache) if cache is not None else root / "processed", key, **kwargs
        )


def split_classes(root: Path, split: str) -> list[str]:
    """Names of the folders in ``root/<split>``, which must be those of the other splits too.

    Raises:
        FileNotFoundError: If there is no such folder or split.
        ValueError: For a split of another name, without classes, or with others than there are elsewhere.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder, expected {root}/<split>/<class>/<file>")
    found = {name: _folders(root / name) for name in SPLITS if (root / name).is_dir()}
    if split not in found:
        raise FileNotFoundError(f"{root}: no split {split!r}, found {', '.join(found) or 'none'}")
    classes = found[split]
    if not classes:
        raise ValueError(f"{root / split}: no classes, expected a folder for each")
    for other, names in found.items():
        if names != classes:
            here, there = sorted(set(classes) - set(names)), sorted(set(names) - set(classes))
            raise ValueError(
                f"{root}: splits must have the same classes; only in {split}: {here}, only in {other}: {there}"
            )
    return classes


def _folders(folder: Path) -> list[str]:
    return sorted(f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))


def _files(root: Path, split: str, classes: list[str]) -> list[ShapeFile]:
    files = []
    for label, name in enumerate(classes):
        folder = root / split / name
        paths = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        shapes = [p for p in paths if p.suffix.lower() in EXTENSIONS]
        if not shapes:
            raise ValueError(f"{folder}: no shapes among {len(paths)} files, expected {' '.join(EXTENSIONS)}")
        files += [ShapeFile(path, path.relative_to(root).as_posix(), label) for path in shapes]
    return files
