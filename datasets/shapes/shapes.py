"""The base of all data sets of shapes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ccnn_geo._base.pyg import Data, Dataset
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.labelled import LabelledDataset
from ccnn_geo.datasets.base.processing import STEPS, Conversion, Settings, ShapeFile, prepare
from ccnn_geo.io.files.storage import read_arrays
from ccnn_geo.transforms import PointFeatures, ShapePipeline


class ShapeDataset(LabelledDataset):
    """Labelled clouds with normals on the unit sphere, sampled once from files and kept in memory.

    ``num_samples`` points of each shape are stored, in random order, normalised together; a sample is the
    first ``num_points`` of them, the same at every access. For other points in every epoch, take all of them
    and choose in the transform: ``num_points=None, transform=RandomSubset(512)``.

    A point takes 12 bytes on disk and in memory, a shape of 2,048 points 24.6 kB, ModelNet40 302 MB. The
    file's name contains a digest of the settings, so files of different settings can coexist.

    Args:
        files: the samples, or a function that lists them (called only if there is no stored file).
        classes: names of the classes, in the order of the labels.
        cache: folder of the stored file, created if needed.
        key: distinguishes this selection of files from others in the same folder.
        num_points: points of a sample; None for all stored points.
        num_samples: points to store of each shape; clouds with fewer keep all of theirs.
        seed: seed of the sampling; together with the name of the file it determines the points.
        k: neighbours for the normals of clouds that have none.
        frame: "sphere" as above, or "box": the longest side of the bounding box covers [-1, 1].
        cells: cells of occupancy grids to use: those at the "surface", or all that are "occupied".
        transform: applied at every access.
        num_workers: processes for the sampling; 0 for none, None chooses by the amount of data.
        on_error: "raise" reports all unreadable files at the end, "skip" warns and leaves them out.

    Shapes:
        ``dataset[i]`` is ``Data(x [N, 6], pos [N, 3], normal [N, 3], y [1], name)``; y int64, the others float32.
        ``x``, normals beside positions as in appendix B, is built last, from the result of the transform, unless
        the transform has set ``x``.

    Raises:
        ShapeError: if files cannot be read; lists them, or one file for each kind of error.
        ValueError: for arguments out of range, or a damaged stored file.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from ccnn_geo.datasets.base.processing import ShapeFile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = ShapeFile(Path(folder, "cloud.xyz"), name="cloud", label=0)
        ...     np.savetxt(file.path, np.random.rand(100, 3))
        ...     ShapeDataset([file], ["cube"], Path(folder), "all", num_points=64)[0]
        Data(y=[1], pos=[64, 3], normal=[64, 3], name='cloud', x=[64, 6])
    """

    samples_surfaces: ClassVar[bool] = True
    """Whether an item holds points of a surface, so that a pipeline of transforms may take some of them."""

    pipeline_class: ClassVar[type[ShapePipeline]] = ShapePipeline
    """Makes samples, in training and in prediction."""

    def __init__(
        self,
        files: Sequence[ShapeFile] | Callable[[], Sequence[ShapeFile]],
        classes: Sequence[str],
        cache: Path,
        key: str,
        *,
        num_points: int | None = 512,
        num_samples: int = 2048,
        seed: int = 0,
        k: int = 16,
        frame: str = "sphere",
        cells: str = "surface",
        transform: Callable[[Data], Data] | None = None,
        num_workers: int | None = None,
        on_error: str = "raise",
    ) -> None:
        check_options(num_points, num_samples, num_workers, on_error)
        settings = Settings(num_samples, k, seed, frame, cells)
        target = cache / f"{key}-{num_samples}-{digest(settings, on_error, tuple(classes))}.npz"
        if not target.exists():
            files = files() if callable(files) else files
            title = f"{type(self).__name__} {key.split('-')[0]}"
            prepare(files, settings, target, num_workers, on_error, title, self._conversion(classes))
        stored = read_arrays(target, ("pos", "normal", "offset", "y", "name", "skipped"))
        self._pos = torch.from_numpy(stored["pos"])
        self._normal = torch.from_numpy(stored["normal"])
        self._offset = stored["offset"].tolist()
        self._y = torch.from_numpy(stored["y"]).long()
        self._names = stored["name"].tolist()
        self.skipped: list[str] = stored["skipped"].tolist()
        self.processed_file = target
        self.classes = list(classes)
        self.num_points = num_points
        super().__init__(root=None, transform=transform)

    @staticmethod
    def truths(root: Path, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """Returns the task, and the place of the predictions: the whole shape, or each ``node``."""
        return "classification", "global"

    def _conversion(self, classes: Sequence[str]) -> Conversion:
        """Defines how a file is converted, and what else is stored of all files."""
        return Conversion()

    def __getitem__(self, idx: int | slice | Sequence[int] | Tensor) -> Data | Dataset:
        found = super().__getitem__(idx)
        if isinstance(found, Data) and found.x is None and found.get("normal") is not None:
            return _features(found)
        return found

    def get(self, idx: int) -> Data:
        start, stop = self._offset[idx], self._offset[idx + 1]
        if self.num_points is not None:
            stop = min(stop, start + self.num_points)
        return Data(
            pos=self._pos[start:stop].float() / STEPS,
            normal=normalize(self._normal[start:stop].float(), dim=1),
            y=self._y[idx : idx + 1],
            name=self._names[idx],
        )


_features = PointFeatures()


def check_options(num_points: int | None, num_samples: int, num_workers: int | None, on_error: str) -> None:
    """Raises ValueError for options of :class:`ShapeDataset` that are out of range."""
    if num_samples < 1 or (num_points is not None and not 1 <= num_points <= num_samples):
        raise ValueError(
            f"expected 1 <= num_points <= num_samples, got num_points={num_points}, num_samples={num_samples}"
        )
    if num_workers is not None and num_workers < 0:
        raise ValueError(f"num_workers must be 0 or more, or None, got {num_workers}")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")


def is_sampled(dataset: type) -> bool:
    """Whether items of a data set's class are points of surfaces."""
    return issubclass(dataset, ShapeDataset) and dataset.samples_surfaces
