"""Files of points with named columns: clouds, molecules, fields."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from ccnn_geo.io.cloud_table import EXTENSION as TABLE
from ccnn_geo.io.cloud_table import read_cloud_table
from ccnn_geo.io.scans.frames import EXTENSIONS as SCANS
from ccnn_geo.io.scans.frames import LARGEST, read_frame
from ccnn_geo.io.shapes.arrays import read_member
from ccnn_geo.io.shapes.shape import ShapeError

EXTENSIONS: tuple[str, ...] = (".npz", ".parquet", *(kind for kind in SCANS if kind not in (".bin", ".npy")))
"""Extensions that :func:`read_cloud` reads, in lower case with the dot; not ``.bin`` and ``.npy``, which lack names."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points with columns of values.

    Args:
        pos: ``[N, D]`` float64, D of 1 to 3, in the units of the file.
        fields: Columns ``[N]`` by name; NaN where a value is not known.
        others: Shapes of numeric arrays by name that do not have one row per point.
    """

    pos: np.ndarray
    fields: dict[str, np.ndarray]
    others: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def check_columns(self, source: object, names: Iterable[str]) -> None:
        """Refuses a cloud that lacks a column.

        Args:
            source: Name of the cloud in messages, such as its file.
            names: Names of the columns.

        Raises:
            ValueError: If a column is missing or has the wrong length; the message says which.
        """
        lacking = [name for name in names if name not in self.fields]
        for name in lacking:
            if (shape := self.others.get(name, self.others.get(name.rpartition("_")[0]))) is not None:
                raise ValueError(
                    f"{source}: {name} {list(shape)}, expected {len(self.pos)} rows, one per point"
                )
        if lacking:
            raise ValueError(
                f"{source}: no {', '.join(lacking)}, the file has {', '.join(self.fields) or 'nothing but positions'}"
            )


def read_cloud(path: str | PathLike[str]) -> Cloud:
    """Reads a file of points; the extension decides the format.

    The formats are ``.npz``, ``.parquet``, ``.ply``, ``.pcd``, ``.las`` and ``.laz``. An archive has ``pos [N, D]`` and
    other arrays with one row per point. Each array becomes a column, or several columns ``name_0``, ``name_1`` and so
    on; arrays of other lengths are skipped. The other formats have x, y and z, and a column for each property; labels
    of a scan are the column ``classification``. A table of several samples, :mod:`~ccnn_geo.io.cloud_table`, is like a
    folder of samples: ``molecules.parquet/0001`` is one of them.

    Raises:
        ValueError: If the format is unknown or the file is faulty; the message names the file.
        OSError: If the file cannot be opened.

    Example:
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "water.npz")
        ...     np.savez(path, pos=np.random.rand(3, 3), z=np.array([8, 1, 1]))
        ...     cloud = read_cloud(path)
        >>> cloud.pos.shape, list(cloud.fields)
        ((3, 3), ['z'])
    """
    path = Path(path)
    kind = path.suffix.lower()
    if is_member(path):
        return _of_table(path.parent, path.name)
    if kind == TABLE:
        table = read_cloud_table(path)
        if len(table.names) > 1:
            raise ValueError(
                f"{path}: {len(table.names)} samples, expected one; name it, as in {path}/{table.names[0]}"
            )
        return _of_table(path, table.names[0])
    if kind not in EXTENSIONS:
        raise ValueError(f"{path}: unknown extension {path.suffix!r}, expected one of {' '.join(EXTENSIONS)}")
    if kind == ".npz":
        return _read_npz(path)
    frame = read_frame(path, needed=())
    fields = {name: np.asarray(values, dtype=np.float64) for name, values in frame.fields.items()}
    if frame.labels is not None:
        fields["classification"] = frame.labels.astype(np.float64)
    return Cloud(frame.xyz, fields)


def is_member(path: Path) -> bool:
    """Whether a path names a sample in a table, such as ``molecules.parquet/0001``."""
    return path.parent.suffix.lower() == TABLE and path.parent.is_file()


def members(path: str | PathLike[str]) -> list[str]:
    """Paths of the samples of a table; the path itself for any other file.

    Raises:
        ImportError: If the file is a table and pyarrow is not installed.
    """
    path = Path(path)
    if path.suffix.lower() != TABLE or not path.is_file():
        return [str(path)]
    return [str(path / name) for name in read_cloud_table(path).names]


def _of_table(path: Path, name: str) -> Cloud:
    table = read_cloud_table(path)
    rows = table.rows(name)
    return Cloud(table.pos[rows], {key: values[rows] for key, values in table.fields.items()})


def _read_npz(path: Path) -> Cloud:
    content = path.read_bytes()  # an open file would allocate what the directory claims
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            arrays = {
                info.filename.removesuffix(".npy"): read_member(path, archive, info, len(content))
                for info in archive.infolist()
            }
    except ShapeError:
        raise
    except Exception as error:  # damaged archives raise many types: BadZipFile, zlib.error, EOFError
        raise ShapeError(f"{path}: damaged ({error}), expected an .npz of arrays") from error
    pos = arrays.pop("pos", None)
    if (
        pos is None
        or pos.dtype.kind not in "fiu"
        or pos.ndim != 2
        or not 1 <= pos.shape[1] <= 3
        or not len(pos)
    ):
        found = "none" if pos is None else f"{list(pos.shape)} of {pos.dtype}"
        raise ShapeError(f"{path}: expected numbers pos [N, D] with D of 1 to 3, got {found}")
    pos = pos.astype(np.float64)
    if not np.isfinite(pos).all() or np.abs(pos).max() > LARGEST:
        raise ShapeError(f"{path}: NaN, Inf or numbers beyond {LARGEST:g} in pos, expected none")
    fields: dict[str, np.ndarray] = {}
    others: dict[str, tuple[int, ...]] = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            continue
        if array.shape[:1] != (len(pos),) or array.ndim > 2:
            others[name] = array.shape
            continue
        columns = array.astype(np.float64).reshape(len(pos), -1).T
        names = [name] if array.ndim == 1 else [f"{name}_{i}" for i in range(len(columns))]
        fields.update(zip(names, columns, strict=True))
    return Cloud(pos, fields, others)
