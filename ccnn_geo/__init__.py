"""Continuous convolutional neural networks for sequences, images, voxels and point clouds."""

import ccnn_geo.pyg_import  # noqa: F401 - first

# isort: split

from ccnn_geo.blocks import CCNNBlock, FlexBlock, S4Block
from ccnn_geo.checkout import find_beside
from ccnn_geo.conv import FlexConv, SepFlexConv
from ccnn_geo.joint import JointCCNN
from ccnn_geo.model import CCNN
from ccnn_geo.point_plan import PointPlan
from ccnn_geo.predict import predict

find_beside()

__version__ = "0.1.0"

__all__ = [
    "CCNN",
    "CCNNBlock",
    "FlexBlock",
    "FlexConv",
    "JointCCNN",
    "PointPlan",
    "S4Block",
    "SepFlexConv",
    "__version__",
    "predict",
]
