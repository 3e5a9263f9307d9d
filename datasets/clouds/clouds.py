"""A user's own clouds and molecules, with targets of each cloud or of each point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ccnn_geo._base.pyg import Data, Dataset
from ccnn_geo.datasets.base.find_layout import Layout
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.clouds.cloud_files import cloud_layout
from ccnn_geo.datasets.clouds.cloud_store import Stored, stored_clouds, stored_table
from ccnn_geo.datasets.clouds.cloud_tables import TableClouds
from ccnn_geo.io.target_table import split_unit
from ccnn_geo.nn.targets import Targets
from ccnn_geo.transforms.pipelines.clouds import MADE, CloudPipeline


class Clouds(Dataset):
    r"""Clouds or molecules with a table of targets, or with a field over their points.

    Files ``.npz``, ``.ply``, ``.pcd``, ``.las`` and ``.laz`` lie in ``root/<split>``. The table
    ``root/<split>/targets.csv`` has a row for each file: its name in ``file``, and a column per target with the unit
    in brackets, ``energy [kcal/mol]``. Empty cells are unknown. One table for all, ``root/targets.csv``, has paths
    from ``root``. Without folders of splits it may have a column ``split``; otherwise the files are split by their
    names. With ``point_targets`` the targets are columns of the files, a value per point: a field.

    In tables, ``root/<split>.parquet``, or one with a column ``split``, a row is a point, ``sample`` names its
    cloud, and ``targets`` lists columns with one value in each cloud, see :mod:`~ccnn_geo.io.cloud_table`.

    Files are read once and kept in memory. Their content is stored in ``cache`` and used again as long as names, sizes
    and dates of the files stay the same.

    Args:
        root: The folder of the splits, or of one table for all.
        split: train, validation or test; train must exist, because it sets the scale.
        download: Not used, there is nothing to download; kept for the common interface.
        checksum: Likewise.
        targets: Names of columns in the table of targets, None for all; or in the table of points.
        point_targets: Columns of the files that are targets of points instead, such as ``["height [m]"]``.
        features: Columns of ``x``: columns of the files, see :func:`~ccnn_geo.io.cloud_file.read_cloud`, and
            ``constant`` (1) and ``pos``.
        one_hot: Features with a column for each value, such as kinds of atoms.
        normalize: Whether the other features of files are standardised by mean and deviation over the points of train.
        unit: Length in the files that is 1 in ``pos``; None for half the longest edge of the largest cloud of train.
        cache: Folder of prepared files (default ``root/processed``).
        transform: Applied at every access; augmentation, only for training.

    Shapes:
        ``dataset[i]`` is ``Data(x [N, C], pos [N, D], y [1, T], name)``, with ``point_targets`` ``y [N, T]``; float32,
        targets in their units, NaN for unknown ones.

    Raises:
        FileNotFoundError: If the folder, the split, the table or a file does not exist.
        ValueError: If a file or the table is not as described (it is named), or an argument is out of range.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     Path(root, "train").mkdir()
        ...     np.savez(Path(root, "train", "water.npz"), pos=np.random.rand(3, 3), z=np.array([8, 1, 1]))
        ...     _ = Path(root, "train", "targets.csv").write_text("file,energy [eV]\nwater.npz,-9.5\n")
        ...     data = Clouds(root, features=["z"], one_hot=["z"])
        >>> data[0]
        Data(x=[3, 2], pos=[3, 3], y=[1, 1], name='train/water.npz')
    """

    info = DatasetInfo(
        name="clouds",
        title="your own clouds and molecules (.npz .parquet .ply .pcd .las .laz) with targets of each or of each point",
        family="cloud",
        in_channels=None,
        size=None,
        classes=0,
        many_files=True,
        source="your own files",
    )

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        download: bool = True,
        checksum: str | None = "published",
        targets: Sequence[str] | None = None,
        point_targets: Sequence[str] | None = None,
        features: Sequence[str] = ("constant",),
        one_hot: Sequence[str] = (),
        normalize: bool = True,
        unit: float | None = None,
        cache: str | PathLike[str] | None = None,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        if targets is not None and point_targets is not None:
            raise ValueError("clouds: expected targets or point_targets, got both")
        if set(one_hot) - set(features) or set(one_hot) & set(MADE):
            raise ValueError(
                f"clouds: expected one_hot to be some of the files' features {list(features)}, got {one_hot}"
            )
        root = Path(root).expanduser()
        folder = Path(cache).expanduser() if cache is not None else root / "processed"
        fields = [split_unit(name) for name in point_targets or ()]
        columns = dict.fromkeys([*(f for f in features if f not in MADE), *(name for name, _ in fields)])
        layout = cloud_layout(root, targets, bool(fields))
        if isinstance(layout, TableClouds) and not fields and not targets:
            raise ValueError(
                f"clouds: expected targets, names of columns of the tables in {root}, got {targets}"
            )

        def stored(part: str) -> Stored:
            if isinstance(layout, TableClouds):
                return stored_table(layout, part, targets, list(columns), folder)
            return stored_clouds(root, part, layout.part(part), list(columns), folder)

        parts = {part: stored(part) for part in dict.fromkeys((split, "train"))}
        self._stored = parts[split]
        self.pipeline = _pipeline(parts["train"], features, one_hot, normalize, unit)
        self._fields = [name for name, _ in fields]
        self.target_names = self._fields or self._stored.names
        self.target_units = [given for _, given in fields] or self._stored.units
        super().__init__(root=None, transform=transform)

    @staticmethod
    def truths(root: Path, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """Returns the task for these arguments of the data set, and the place of the predictions."""
        return "regression", "node" if arguments.get("point_targets") else "global"

    @staticmethod
    def layout(root: Path, arguments: Mapping[str, Any]) -> Layout | TableClouds:
        """Finds out how the files of a folder are sorted."""
        return cloud_layout(root, arguments.get("targets"), bool(arguments.get("point_targets")))

    @property
    def classes(self) -> list[str]:
        """Empty: targets are numbers."""
        return []

    @property
    def in_channels(self) -> int:
        """Columns of ``x``."""
        return int(self.get(0).x.size(1))

    @property
    def names(self) -> list[str]:
        """Names of the files, relative to the root."""
        return [self._stored.files[i] for i in self.indices()]

    @property
    def y(self) -> Tensor:
        """Targets of the samples, or of all their points, ``[*, T]`` float64."""
        return torch.cat([self._target(i) for i in self.indices()])

    def target_scale(self) -> Targets:
        """Names, units, mean and standard deviation of the targets of these samples."""
        return Targets.measure(self.target_names, self.target_units, self.y)

    def len(self) -> int:
        return len(self._stored.files)

    def get(self, idx: int) -> Data:
        data = self.pipeline(self._stored.cloud(idx))
        data.y, data.name = self._target(idx).float(), self._stored.files[idx]
        return data

    def _target(self, idx: int) -> Tensor:
        if not self._fields:
            return torch.from_numpy(self._stored.targets[idx : idx + 1])
        fields = self._stored.cloud(idx).fields
        return torch.from_numpy(np.stack([fields[name] for name in self._fields], axis=1))


def _pipeline(
    train: Stored, features: Sequence[str], one_hot: Sequence[str], normalize: bool, unit: float | None
) -> CloudPipeline:
    """The steps that prepare a cloud, by measurements of the training set."""
    measured = [name for name in features if name not in MADE and name not in one_hot]
    return CloudPipeline(
        tuple(features),
        {name: np.unique(train.column(name)).tolist() for name in one_hot},
        {name: train.moments(name) for name in measured} if normalize else {},
        float(unit) if unit is not None else train.extent / 2 or 1.0,
    )
