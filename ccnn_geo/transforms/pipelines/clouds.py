"""From a file of points with named columns to network inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import ClassVar

import numpy as np
import torch

from ccnn_geo._base.pyg import Data
from ccnn_geo.io.cloud_file import EXTENSIONS, Cloud, members, read_cloud
from ccnn_geo.transforms.pipelines.base import Pipeline
from ccnn_geo.transforms.scan_points import centred

MADE = ("constant", "pos")
"""Features that are not columns of a file."""


@dataclass(frozen=True)
class CloudPipeline(Pipeline):
    """Prepares a cloud or molecule; stored in checkpoints, so that prediction repeats it.

    Args:
        features: Columns of ``data.x``: names of columns in the file, ``constant`` (1), and ``pos``, a column per axis.
        one_hot: Values of a feature that become one column each, such as ``{"z": [1, 6, 8]}`` for types of atoms.
        scale: Mean and standard deviation of a feature to standardise.
        unit: Length in the file that becomes 1 in ``pos``.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> water = Cloud(np.eye(3), {"z": np.array([8.0, 1.0, 1.0])})
        >>> CloudPipeline(features=("z",), one_hot={"z": [1, 8]})(water).x
        tensor([[0., 1.],
                [1., 0.],
                [1., 0.]])
    """

    kind: ClassVar[str] = "cloud"
    extensions: ClassVar[tuple[str, ...]] = EXTENSIONS

    features: Sequence[str] = ("constant",)
    one_hot: Mapping[str, Sequence[float]] = field(default_factory=dict)
    scale: Mapping[str, Sequence[float]] = field(default_factory=dict)
    unit: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.features, str) or not self.features:
            raise ValueError(f"clouds: expected features to be a list of names, got {self.features!r}")
        if not self.unit > 0:
            raise ValueError(f"clouds: expected a unit above 0, got {self.unit}")

    def samples_of(self, path: str) -> list[str]:
        """One path per sample in a table; any other file is one sample."""
        return members(path)

    def read(self, source: Cloud | str | PathLike[str]) -> Cloud:
        """Reads the points of a file, see :func:`~ccnn_geo.io.cloud_file.read_cloud`, or takes those in memory."""
        if isinstance(source, Cloud):
            return source
        if not isinstance(source, (str, PathLike)):
            raise TypeError(f"clouds: expected a path or a Cloud, got {type(source).__name__}")
        cloud = read_cloud(source)
        cloud.check_columns(source, (name for name in self.features if name not in MADE))
        return cloud

    def __call__(self, content: Cloud) -> Data:
        """Makes the sample ``Data(x [N, C], pos [N, D])``; positions are relative to the centre of the bounding box."""
        pos, _ = centred(content.pos, self.unit)
        made = {"constant": np.ones((len(pos), 1)), "pos": pos}
        columns = [made[name] if name in made else self._column(name, content) for name in self.features]
        x = np.concatenate(columns, axis=1)
        return Data(x=torch.from_numpy(x.astype(np.float32)), pos=torch.from_numpy(pos.astype(np.float32)))

    def _column(self, name: str, cloud: Cloud) -> np.ndarray:
        """Columns ``[N, k]`` of a measured feature."""
        values = cloud.fields.get(name)
        if values is None or not np.isfinite(values).all():
            found = "none" if values is None else "NaN or Inf"
            raise ValueError(f"clouds: expected numbers for the feature {name}, got {found}")
        if name not in self.one_hot:
            mean, std = self.scale.get(name, (0.0, 1.0))
            return ((values - mean) / std)[:, None]
        kinds = np.asarray(self.one_hot[name], dtype=np.float64)
        hit = values[:, None] == kinds
        if not hit.any(1).all():
            other = values[~hit.any(1)][0]
            raise ValueError(
                f"clouds: expected {name} to be one of {', '.join(f'{k:g}' for k in kinds)}, got {other:g}"
            )
        return hit
