"""Transforms of meshes and clouds, for use with ``torch_geometric.transforms.Compose``."""

from ccnn_geo.transforms.build_neighbors import BuildNeighbors
from ccnn_geo.transforms.estimate_normals import EstimateNormals
from ccnn_geo.transforms.fixed_subset import FixedSubset
from ccnn_geo.transforms.normalize_sphere import NormalizeSphere
from ccnn_geo.transforms.point_features import PointFeatures
from ccnn_geo.transforms.random_jitter import RandomJitter
from ccnn_geo.transforms.random_rotate import RandomRotate
from ccnn_geo.transforms.random_scale_shift import RandomScaleShift
from ccnn_geo.transforms.random_subset import RandomSubset
from ccnn_geo.transforms.sample_shape import SampleShape
from ccnn_geo.transforms.sample_surface import SampleSurface
from ccnn_geo.transforms.voxelize import Voxelize

__all__ = [
    "BuildNeighbors",
    "EstimateNormals",
    "FixedSubset",
    "NormalizeSphere",
    "PointFeatures",
    "RandomJitter",
    "RandomRotate",
    "RandomScaleShift",
    "RandomSubset",
    "SampleShape",
    "SampleSurface",
    "Voxelize",
]
