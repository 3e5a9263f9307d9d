"""ModelNet10 on a lattice: the training set of a network that then sees points (Sec. 5, Fig. 11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

from torch import Tensor

from ccnn_geo._base.pyg import Compose, Data
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.shapes.modelnet import ModelNet10
from ccnn_geo.functional.representations import to_grid
from ccnn_geo.transforms import NormalizeSphere, PointFeatures, ShapePipeline, Voxelize


class ModelNet10Voxels(ModelNet10):
    """ModelNet10 as the non-empty cells of a 40 x 40 x 40 lattice on [-1, 1]^3, at most 512 of them.

    4,096 points of each mesh on the unit sphere, sampled as by :class:`~ccnn_geo.datasets.ModelNet10`, go through
    :class:`~ccnn_geo.transforms.Voxelize`. A cell's feature is its location. Cells beyond ``num_voxels`` are masked
    out; the choice depends only on the shape.

    Args:
        root: Folder of the archive, the meshes and the stored points, shared with ModelNet10.
        split: "train" or "test", as published; for validation hold out a share of train with
            :func:`~ccnn_geo.datasets.stratified_split`.
        grid: Return dense grids and labels instead of points.
        size: Cells along each axis.
        num_voxels: Number of cells to keep; None for all.
        num_samples: Points of a mesh.
        features: Fields for ``x``: ``pos``, ``normal`` (the mean over the cell).
        random: Choose other cells at every access. Only for training.
        transform: Augmentation, applied to the points ``Data(pos [num_samples, 3], normal [num_samples, 3], y)`` at
            every access, before they are put back on the unit sphere. Only for training.
        **kwargs: ``download``, ``checksum``, ``check_counts`` of :class:`~ccnn_geo.datasets.ModelNet10`, and further
            arguments of :class:`~ccnn_geo.datasets.shapes.shapes.ShapeDataset`.

    Shapes:
        ``dataset[i]`` is ``Data(x [M, C], pos [M, 3], y [1], name)``, and ``normal [M, 3]``; M <= num_voxels, ``pos``
        the centres of cells. With ``grid`` it is ``(grid [C, size, size, size], label)``, 0 in empty cells, float32
        and a python integer.

    Raises:
        ValueError, FileNotFoundError, ConnectionError, ShapeError: as for ModelNet10; ValueError also for unknown
            features.

    Example:
        >>> ModelNet10Voxels.info.in_channels, ModelNet10Voxels.info.size
        (3, (40, 40, 40))
        >>> train = ModelNet10Voxels("data", "train")  # doctest: +SKIP
        >>> grids = ModelNet10Voxels("data", "train", grid=True)  # doctest: +SKIP
        >>> grids[0][0].shape  # doctest: +SKIP
        torch.Size([3, 40, 40, 40])

    Source: appendix B, ModelNet10 Voxelized.
    """

    samples_surfaces = False
    info = DatasetInfo(
        name="modelnet10_voxels",
        title="ModelNet10 voxelised: 512 cells of a 40 x 40 x 40 lattice",
        family="shape",
        in_channels=3,
        size=(40, 40, 40),
        classes=10,
        counts=ModelNet10.counts,
        files=ModelNet10.info.files,
        prepared=2_450_000_000,
        many_files=True,
        source="http://modelnet.cs.princeton.edu; appendix B",
    )

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        grid: bool = False,
        size: int = 40,
        num_voxels: int | None = 512,
        num_samples: int = 4096,
        features: Sequence[str] = ("pos",),
        random: bool = False,
        transform: Callable[[Data], Data] | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(features, str) or not features or set(features) - {"pos", "normal"}:
            raise ValueError(f"features: expected a list of pos and normal, got {features!r}")
        self.grid, self.lattice = grid, size
        self._prepare = ShapePipeline(
            num_voxels or num_samples,
            num_samples,
            features,
            "grid" if grid else "voxels",
            size,
            kwargs.get("k", 16),
            kwargs.get("seed", 0),
        )
        moved = [transform, NormalizeSphere()] if transform is not None else []
        chain = Compose([*moved, Voxelize(size, num_voxels, random), PointFeatures(features)])
        super().__init__(root, split, num_points=None, num_samples=num_samples, transform=chain, **kwargs)

    @property
    def pipeline(self) -> ShapePipeline:
        """Turns a file into a sample."""
        return self._prepare

    def __getitem__(
        self, idx: int | slice | Sequence[int] | Tensor
    ) -> Data | tuple[Tensor, int] | ModelNet10Voxels:
        found = super().__getitem__(idx)
        if not self.grid or not isinstance(found, Data):
            return found
        size = (self.lattice,) * 3
        return to_grid(found.x, found.pos, size=size, spacing=2 / self.lattice)[0], int(found.y)
