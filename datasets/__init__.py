"""Data sets, one file each; installed as ``ccnn_geo.datasets``."""

from ccnn_geo.datasets.modelnet import ModelNet10, ModelNet40
from ccnn_geo.datasets.parametric_shapes import PARAMETRIC_CLASSES, ParametricShapes, parametric_mesh
from ccnn_geo.datasets.shape_folder import ShapeFolder
from ccnn_geo.datasets.shapes import ShapeDataset
from ccnn_geo.datasets.splits import stratified_split

__all__ = [
    "PARAMETRIC_CLASSES",
    "ModelNet10",
    "ModelNet40",
    "ParametricShapes",
    "ShapeDataset",
    "ShapeFolder",
    "parametric_mesh",
    "stratified_split",
]
