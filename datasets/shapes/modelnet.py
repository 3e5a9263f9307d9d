"""ModelNet: CAD models in 10 or 40 classes (Wu et al., 2015), with the official split."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.info import DataFile, DatasetInfo
from ccnn_geo.datasets.base.processing import ShapeFile
from ccnn_geo.datasets.shapes.shapes import ShapeDataset
from ccnn_geo.io.files.archive import extract_atomic
from ccnn_geo.io.files.download import fetch
from ccnn_geo.io.files.sample_files import FileKind, list_samples, tell_left_out
from ccnn_geo.io.files.storage import exclusive

MESHES = FileKind("meshes", (".off",))


class _ModelNet(ShapeDataset):
    name: str
    url: str
    sha256: str
    all_classes: tuple[str, ...]
    counts: Mapping[str, int]

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        download: bool = True,
        checksum: str | None = "published",
        check_counts: bool = True,
        **kwargs: Any,
    ) -> None:
        if split not in self.counts:
            raise ValueError(f"{self.name} has the splits {', '.join(self.counts)}, got {split!r}")
        root = Path(root).expanduser()
        checksum = self.sha256 if checksum == "published" else checksum

        def files() -> list[ShapeFile]:
            self._ensure_raw(root, download, checksum)
            return self._list(root / self.name, split, check_counts)

        key, source = split, files
        if not check_counts:  # files may change, so the key of the stored points includes their dates
            found = files()
            key, source = f"{split}-unchecked-{digest([f.name for f in found])}", lambda: found
        super().__init__(source, self.all_classes, root / "processed" / self.name, key, **kwargs)

    def _ensure_raw(self, root: Path, download: bool, checksum: str | None) -> None:
        folder, archive = root / self.name, root / f"{self.name}.zip"
        with exclusive(root, self.name):
            if folder.is_dir():
                return
            if not archive.exists() and not download:
                raise FileNotFoundError(
                    f"neither {folder} nor {archive} exists; place {self.url} there, or use download=True"
                )
            extract_atomic(fetch(self.url, archive, checksum), self.name, folder)

    def _list(self, folder: Path, split: str, check_counts: bool) -> list[ShapeFile]:
        folders = {name: folder / name / split for name in self.all_classes}
        listings = {name: list_samples(f, MESHES) for name, f in folders.items() if f.is_dir()}
        files = [
            ShapeFile(path, path.relative_to(folder).as_posix(), self.all_classes.index(name))
            for name, found in listings.items()
            for path in found.paths
        ]
        tell_left_out(folder, len(files), {name: found.left_out for name, found in listings.items()}, MESHES)
        if not files or (check_counts and len(files) != self.counts[split]):
            raise ValueError(
                f"{folder}: {len(files)} files in <class>/{split}/*.off, expected {self.counts[split]}; "
                f"remove the folder to unpack it again, or accept a part of it with check_counts=False"
            )
        return files


class ModelNet10(_ModelNet):
    """ModelNet10: 3,991 shapes for training and 908 for testing in 10 classes, all upright and facing one way.

    The archive (450 MB) is fetched into ``root`` unless ``root/ModelNet10`` or ``root/ModelNet10.zip`` exists. Its
    sha256 is the one that other loaders of this data set publish. Once the points are stored in
    ``root/processed``, the meshes are no longer needed.

    Args:
        root: folder of the archive, the meshes and the stored points.
        split: "train" or "test". For validation hold out a share of train with
            :func:`~ccnn_geo.datasets.stratified_split`.
        download: fetch the archive if needed.
        checksum: sha256 that the archive must have ("published": as above); None accepts any.
        check_counts: insist on the official number of shapes; otherwise the meshes are checked every time.
        **kwargs: see :class:`~ccnn_geo.datasets.shapes.shapes.ShapeDataset`.

    Raises:
        ConnectionError: if the archive cannot be fetched; the message says which file to place where.
        FileNotFoundError: if it is missing and ``download`` is False.
        ValueError: for an unknown split, a wrong checksum or number of shapes.
        ShapeError: if files cannot be read; lists them, or one file for each kind of error.

    Example:
        >>> ModelNet10.info.counts["train"], ModelNet10.info.counts["test"], ModelNet10.info.in_channels
        (3991, 908, 6)
        >>> train = ModelNet10("data", "train")  # doctest: +SKIP
        >>> train[0].x.shape  # doctest: +SKIP
        torch.Size([512, 6])
    """

    name = "ModelNet10"
    url = "http://vision.princeton.edu/projects/2014/3DShapeNets/ModelNet10.zip"
    sha256 = "9d8679435fc07d1d26f13009878db164a7aa8ea5e7ea3c8880e42794b7307d51"
    counts = MappingProxyType({"train": 3991, "test": 908})
    all_classes = (
        *("bathtub", "bed", "chair", "desk", "dresser"),
        *("monitor", "night_stand", "sofa", "table", "toilet"),
    )
    info = DatasetInfo(
        name="modelnet10",
        title="ModelNet10: CAD models, 512 points with normals",
        family="shape",
        in_channels=6,
        size=None,
        classes=10,
        counts=counts,
        files=(DataFile(url, "ModelNet10.zip", f"sha256:{sha256}", 473_000_000),),
        prepared=2_350_000_000,
        many_files=True,
        source="http://modelnet.cs.princeton.edu; appendix B",
    )


class ModelNet40(_ModelNet):
    """ModelNet40: 9,843 shapes for training and 2,468 for testing in 40 classes (archive 2 GB).

    Arguments, errors and behaviour are those of :class:`ModelNet10`.

    Example:
        >>> ModelNet40.info.counts["train"], ModelNet40.info.counts["test"], ModelNet40.all_classes[:2]
        (9843, 2468, ('airplane', 'bathtub'))
        >>> train = ModelNet40("data", "train")  # doctest: +SKIP
        >>> train[0].x.shape  # doctest: +SKIP
        torch.Size([512, 6])
    """

    name = "ModelNet40"
    url = "http://modelnet.cs.princeton.edu/ModelNet40.zip"
    sha256 = "42dc3e656932e387f554e25a4eb2cc0e1a1bd3ab54606e2a9eae444c60e536ac"
    counts = MappingProxyType({"train": 9843, "test": 2468})
    all_classes = (
        *("airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car", "chair", "cone"),
        *(
            "cup",
            "curtain",
            "desk",
            "door",
            "dresser",
            "flower_pot",
            "glass_box",
            "guitar",
            "keyboard",
            "lamp",
        ),
        *("laptop", "mantel", "monitor", "night_stand", "person", "piano", "plant", "radio", "range_hood"),
        *(
            "sink",
            "sofa",
            "stairs",
            "stool",
            "table",
            "tent",
            "toilet",
            "tv_stand",
            "vase",
            "wardrobe",
            "xbox",
        ),
    )
    info = DatasetInfo(
        name="modelnet40",
        title="ModelNet40: CAD models, 512 points with normals",
        family="shape",
        in_channels=6,
        size=None,
        classes=40,
        counts=counts,
        files=(DataFile(url, "ModelNet40.zip", f"sha256:{sha256}", 2_040_000_000),),
        prepared=10_300_000_000,
        many_files=True,
        source="http://modelnet.cs.princeton.edu; appendix B",
    )
