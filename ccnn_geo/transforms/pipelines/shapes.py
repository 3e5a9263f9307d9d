"""From a shape to network inputs: one description for training, testing and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ccnn_geo._base.pyg import Compose, Data
from ccnn_geo.functional.representations import to_grid
from ccnn_geo.io import EXTENSIONS
from ccnn_geo.transforms.drop_normals import DropNormals
from ccnn_geo.transforms.farthest_subset import FarthestSubset
from ccnn_geo.transforms.fixed_subset import FixedSubset
from ccnn_geo.transforms.normalize_box import NormalizeBox
from ccnn_geo.transforms.normalize_sphere import NormalizeSphere
from ccnn_geo.transforms.pipelines.base import Pipeline
from ccnn_geo.transforms.pipelines.shape_sources import Source, read_source
from ccnn_geo.transforms.point_features import FEATURES, PointFeatures
from ccnn_geo.transforms.point_wolf import PointWOLF
from ccnn_geo.transforms.random_jitter import RandomJitter
from ccnn_geo.transforms.random_mirror import RandomMirror
from ccnn_geo.transforms.random_point_dropout import RandomPointDropout
from ccnn_geo.transforms.random_rotate import RandomRotate
from ccnn_geo.transforms.random_scale_shift import RandomScaleShift
from ccnn_geo.transforms.random_subset import RandomSubset
from ccnn_geo.transforms.random_up import RandomUp
from ccnn_geo.transforms.sample_shape import CELLS, FRAMES, SampleShape
from ccnn_geo.transforms.turn_up import AXES
from ccnn_geo.transforms.voxelize import Voxelize

CARRIERS = ("points", "voxels", "grid")
SUBSETS = ("random", "farthest")


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training sample.

    Args:
        scale: Range of the factor of each axis; (1, 1) for none.
        shift: Largest shift along an axis, in units of the unit sphere.
        jitter: Standard deviation of the noise on each point.
        rotate_axis: ``x``, ``y`` or ``z`` for a random rotation about it; null for none.
        rotate_degrees: The angle is uniform on [-rotate_degrees, rotate_degrees].
        point_wolf: Number of anchors of smooth local deformations (PointWOLF: 4), followed by normalisation to the unit
            sphere; 0 for none.
        point_dropout: Largest share of points to drop (PointNet++: 0.875); 0 for none.
        point_fill: Whether dropped points become copies of another point, for networks that need clouds of one size.
        swap_up: Share of shapes to rotate so that y becomes z, for files in which either axis is up.
        mirror: Axes along which half of the shapes are mirrored, such as ``xz``; null for none.
        drop_normals: Share of shapes that get estimated normals, as clouds without normals do in prediction.

    Example:
        >>> [type(t).__name__ for t in Augmentation(shift=0.1, jitter=0.01).transforms()]
        ['RandomScaleShift', 'RandomJitter']
    """

    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    jitter: float = 0.0
    rotate_axis: str | None = None
    rotate_degrees: float = 180.0
    point_wolf: int = 0
    point_dropout: float = 0.0
    point_fill: bool = False
    swap_up: float = 0.0
    mirror: str | None = None
    drop_normals: float = 0.0

    def of_whole_shapes(self, normal_neighbors: int = 16) -> list[Any]:
        """Transforms to apply before points are chosen."""
        return [] if self.drop_normals == 0 else [DropNormals(self.drop_normals, normal_neighbors)]

    def transforms(self) -> list[Any]:
        """Transforms to apply afterwards, in order; those without effect are left out."""
        chain: list[Any] = []
        if self.point_wolf != 0:
            chain += [PointWOLF(self.point_wolf), NormalizeSphere()]
        if self.swap_up != 0:
            chain.append(RandomUp(self.swap_up))
        if self.mirror is not None:
            chain.append(RandomMirror(self.mirror))
        if self.rotate_axis is not None:
            chain.append(RandomRotate(self.rotate_axis, self.rotate_degrees))
        if tuple(self.scale) != (1.0, 1.0) or self.shift != 0:
            chain.append(RandomScaleShift((self.scale[0], self.scale[1]), self.shift))
        if self.jitter != 0:
            chain.append(RandomJitter(self.jitter))
        if self.point_dropout != 0:
            chain.append(RandomPointDropout(self.point_dropout, self.point_fill))
        return chain


@dataclass(frozen=True)
class ShapePipeline(Pipeline):
    """Prepares a shape; stored in checkpoints, so that prediction repeats it.

    Args:
        num_points: Points (or voxels) per sample.
        num_samples: Number of points sampled from a shape, from which those are chosen.
        features: Fields to concatenate into ``data.x``: ``normal``, ``pos``, ``normal_outer`` and ``constant``, see
            :class:`~ccnn_geo.transforms.PointFeatures`.
        carrier: Domain: ``points``; ``voxels`` for the non-empty cells of a lattice on [-1, 1]^3; ``grid`` for all
            cells, with features 0 in empty ones.
        voxel_size: Cells along each axis.
        normal_neighbors: Neighbours for estimating the normals of clouds without any.
        seed: Seed of the sampling.
        subset: How points are chosen: at ``random``, as in the paper, or ``farthest`` from each other, which covers a
            shape evenly, see :class:`~ccnn_geo.transforms.FarthestSubset`.
        reference_points: With ``subset="farthest"``, each point weighs its share of the shape times this number. Set it
            to the ``num_points`` of training for sums that do not depend on ``num_points``; null for no weights.
        frame: Normalisation of a shape: to the unit ``sphere`` around the mean of its points, or to the ``box``
            [-1, 1]^3 around its bounding box, filled by the longest side.
        cells: Cells of occupancy grids to use: those at the ``surface``, or all ``occupied`` ones.
        columns: Names of the columns in text files, see :func:`ccnn_geo.io.read_shape`.
        up: The axis that points up in training, ``x``, ``y`` or ``z``; null if unknown. Files with another up axis can
            be rotated in prediction, see :meth:`~ccnn_geo.export.Predictor.upright`.

    Raises:
        ValueError: If an argument is out of range.

    Source: appendix B.

    Example:
        >>> from torch_geometric.data import Data
        >>> pipeline = ShapePipeline(num_points=64, features=("constant", "pos"))
        >>> pipeline(Data(pos=torch.rand(500, 3))).x.shape
        torch.Size([64, 4])
    """

    kind: ClassVar[str] = "shape"
    extensions: ClassVar[tuple[str, ...]] = EXTENSIONS

    num_points: int = 512
    num_samples: int = 2048
    features: Sequence[str] = ("normal", "pos")
    carrier: str = "points"
    voxel_size: int = 40
    normal_neighbors: int = 16
    seed: int = 0
    subset: str = "random"
    reference_points: int | None = None
    frame: str = "sphere"
    cells: str = "surface"
    columns: Sequence[str] | None = None
    up: str | None = None

    def __post_init__(self) -> None:
        if self.subset not in SUBSETS:
            raise ValueError(f"data.subset: expected one of {', '.join(SUBSETS)}, got {self.subset!r}")
        if self.reference_points is not None and (self.subset != "farthest" or self.reference_points < 1):
            raise ValueError(
                'data.reference_points: expected 1 or more, with data.subset "farthest", '
                f"got {self.reference_points} with {self.subset!r}"
            )
        for name, known in (("frame", FRAMES), ("cells", CELLS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"data.{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}"
                )
        if self.carrier not in CARRIERS:
            raise ValueError(f"data.carrier: expected one of {', '.join(CARRIERS)}, got {self.carrier!r}")
        if not 1 <= self.num_points <= self.num_samples:
            raise ValueError(
                "data: expected 1 <= num_points <= num_samples, "
                f"got num_points={self.num_points}, num_samples={self.num_samples}"
            )
        if isinstance(self.features, str) or not self.features or set(self.features) - set(FEATURES):
            raise ValueError(
                f"data.features: expected a list of {', '.join(FEATURES)}, got {self.features!r}"
            )
        if self.up not in (None, *AXES):
            raise ValueError(f"data.up: expected x, y or z, or null, got {self.up!r}")
        if self.voxel_size < 1:
            raise ValueError(f"data.voxel_size: expected 1 or more, got {self.voxel_size}")
        if self.normal_neighbors < 3:
            raise ValueError(f"data.normal_neighbors: expected 3 or more, got {self.normal_neighbors}")

    @property
    def in_channels(self) -> int:
        """Columns of ``data.x``."""
        return sum(FEATURES[name] for name in self.features)

    def training(self, augmentation: Augmentation | None = None) -> Compose:
        """Random transforms for a stored sample, ``Data(pos [num_samples, 3], normal [num_samples, 3])``."""
        augmentation = augmentation or Augmentation()
        chain, first = augmentation.transforms(), augmentation.of_whole_shapes(self.normal_neighbors)
        if self.carrier != "points":
            # shifted and scaled shapes would leave the lattice
            again = NormalizeSphere() if self.frame == "sphere" else NormalizeBox()
            choose = [again] * bool(chain) + [Voxelize(self.voxel_size, self._num_cells)]
            return Compose([*first, *chain, *choose, PointFeatures(self.features)])
        choose = self._farthest(random=True) if self.subset == "farthest" else RandomSubset(self.num_points)
        return Compose([*first, choose, *chain, PointFeatures(self.features)])

    def evaluation(self) -> Compose:
        """Deterministic transforms for a stored sample."""
        if self.carrier != "points":
            choose: Any = Voxelize(self.voxel_size, self._num_cells, random=False)
        elif self.subset == "farthest":
            choose = self._farthest(random=False)
        else:
            choose = FixedSubset(self.num_points)
        return Compose([choose, PointFeatures(self.features)])

    @property
    def _num_cells(self) -> int | None:
        """Number of cells per sample; None for all, as in a dense grid."""
        return self.num_points if self.carrier == "voxels" else None

    def dense(self, data: Data) -> Tensor:
        """Turns a sample of cells into a grid ``[C, S, S, S]``."""
        size = (self.voxel_size,) * 3
        return to_grid(data.x, data.pos, size=size, spacing=2 / self.voxel_size)[0]

    def _farthest(self, random: bool) -> FarthestSubset:
        return FarthestSubset(self.num_points, random, reference=self.reference_points)

    def read(self, source: Source) -> Data:
        """Reads a mesh or cloud from a file, an array, a ``Data``, or an object of trimesh or open3d."""
        return read_source(source, self.columns)

    def __call__(self, data: Data) -> Data | Tensor:
        """Turns a mesh, cloud or occupancy grid, as read from a file, into the network's input, as in evaluation."""
        return self.choice(data, 0)

    def choice(self, data: Data, number: int) -> Data | Tensor:
        """As the call, with another choice of points; number 0 is the choice of evaluation."""
        data = data.clone()
        data.pos = data.pos.double()
        generator = torch.Generator().manual_seed(self.seed + number)
        sample = SampleShape(self.num_samples, self.normal_neighbors, generator, self.frame, self.cells)(data)
        if number == 0:
            found = self.evaluation()(sample)
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed + number)
                found = self.training()(sample)
        return self.dense(found) if self.carrier == "grid" else found


def network_inputs(data: Data) -> dict[str, Any]:
    """The network's inputs for one cloud: ``x``, ``pos`` and, if it has them, the points' ``weight``."""
    return {key: data[key] for key in ("x", "pos", "weight") if key in data}
