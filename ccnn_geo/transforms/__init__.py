"""Transforms of meshes, clouds and grids, for ``torch_geometric.transforms.Compose``, and complete pipelines.

A :class:`ShapePipeline` prepares shapes for a network in training and prediction, a :class:`ScanPipeline` prepares
laser scans.
"""

from ccnn_geo.transforms.build_neighbors import BuildNeighbors
from ccnn_geo.transforms.drop_normals import DropNormals
from ccnn_geo.transforms.estimate_normals import EstimateNormals
from ccnn_geo.transforms.farthest_subset import FarthestSubset
from ccnn_geo.transforms.fixed_subset import FixedSubset
from ccnn_geo.transforms.mfcc import MFCC
from ccnn_geo.transforms.mix_clouds import MixClouds
from ccnn_geo.transforms.normalize_box import NormalizeBox
from ccnn_geo.transforms.normalize_sphere import NormalizeSphere
from ccnn_geo.transforms.pipelines.scans import ScanPipeline
from ccnn_geo.transforms.pipelines.shapes import Augmentation, ShapePipeline, network_inputs
from ccnn_geo.transforms.point_features import PointFeatures
from ccnn_geo.transforms.point_wolf import PointWOLF
from ccnn_geo.transforms.random_crop import RandomCrop
from ccnn_geo.transforms.random_flip import RandomFlip
from ccnn_geo.transforms.random_jitter import RandomJitter
from ccnn_geo.transforms.random_mirror import RandomMirror
from ccnn_geo.transforms.random_noise import RandomNoise
from ccnn_geo.transforms.random_point_dropout import RandomPointDropout
from ccnn_geo.transforms.random_rotate import RandomRotate
from ccnn_geo.transforms.random_scale_shift import RandomScaleShift
from ccnn_geo.transforms.random_subset import RandomSubset
from ccnn_geo.transforms.random_time_shift import RandomTimeShift
from ccnn_geo.transforms.random_up import RandomUp
from ccnn_geo.transforms.sample_shape import SampleShape
from ccnn_geo.transforms.sample_surface import SampleSurface
from ccnn_geo.transforms.thin_half import ThinHalf
from ccnn_geo.transforms.turn_up import TurnUp
from ccnn_geo.transforms.voxelize import Voxelize

__all__ = [
    "MFCC",
    "Augmentation",
    "BuildNeighbors",
    "DropNormals",
    "EstimateNormals",
    "FarthestSubset",
    "FixedSubset",
    "MixClouds",
    "NormalizeBox",
    "NormalizeSphere",
    "PointFeatures",
    "PointWOLF",
    "RandomCrop",
    "RandomFlip",
    "RandomJitter",
    "RandomMirror",
    "RandomNoise",
    "RandomPointDropout",
    "RandomRotate",
    "RandomScaleShift",
    "RandomSubset",
    "RandomTimeShift",
    "RandomUp",
    "SampleShape",
    "SampleSurface",
    "ScanPipeline",
    "ShapePipeline",
    "ThinHalf",
    "TurnUp",
    "Voxelize",
    "network_inputs",
]
